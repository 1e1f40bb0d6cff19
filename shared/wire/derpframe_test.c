#include "derpframe.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "box.h"
#include "text.h"

/* docs/protocol/derp.md, test vectors: relay secret 32 x 0x11, client secret 32 x 0x22. */
static const char server_key_frame[] = "010000002844455250f09f94917b4e909bbe7ffe44c465a220037d608ee35897d31ef972f07f74892cb0f73f13";
static const char client_info_frame[] = "02000000680faa684ed28867b97f4a6a2dee5df8ce974e76b7018e3f22a1c4cf2678570f20000102030405060708090a0b"
					"0c0d0e0f1011121314151617a858a062bb55fbd0e565bf952225b5e220ae6ff32ce093a7548f0f9efd7331db8b94711fe4"
					"546f1ed0d738121d94abe3";
static const char server_info_frame[] = "03000000356465666768696a6b6c6d6e6f707172737475767778797a7b8d01d95db1af44189d5e325fedd3da75cfc25e09be8d771ad932a3e8a2";
static const char client_public[] = "0faa684ed28867b97f4a6a2dee5df8ce974e76b7018e3f22a1c4cf2678570f20";

static struct private_key secret_of(uint8_t byte)
{
	struct private_key key;
	memset(key.raw, byte, sizeof key.raw);
	return key;
}

static size_t unhex(const char *text, uint8_t *out)
{
	size_t len = strlen(text) / 2;
	assert_int_equal(hex_decode(bytes_text(text), out, len), ERR_NONE);
	return len;
}

static void header_needs_five_bytes(void **state)
{
	(void)state;
	uint8_t frame[512];
	size_t len = unhex(client_info_frame, frame);
	struct derpframe_header header;
	for (size_t n = 0; n < DERPFRAME_HEADER_LEN; n++)
		assert_int_equal(derpframe_decode(bytes_of(frame, n), &header), ERR_AGAIN);
	assert_int_equal(derpframe_decode(bytes_of(frame, 5), &header), ERR_NONE);
	assert_int_equal(header.type, DERPFRAME_CLIENT_INFO);
	assert_int_equal(header.len, len - 5);
	uint8_t again[DERPFRAME_HEADER_LEN];
	derpframe_encode(again, DERPFRAME_CLIENT_INFO, header.len);
	assert_memory_equal(again, frame, sizeof again);
}

static void server_key_is_the_vector(void **state)
{
	(void)state;
	struct private_key relay = secret_of(0x11);
	struct public_key relay_public;
	key_public(&relay, &relay_public);
	uint8_t want[64], frame[DERPFRAME_SERVER_KEY_LEN];
	assert_int_equal(unhex(server_key_frame, want), sizeof frame);
	derpframe_encode_server_key(frame, &relay_public);
	assert_memory_equal(frame, want, sizeof frame);
}

static void client_info_is_read(void **state)
{
	(void)state;
	struct private_key relay = secret_of(0x11);
	uint8_t frame[512], key[KEY_LEN];
	size_t len = unhex(client_info_frame, frame);
	unhex(client_public, key);
	struct derpframe_client_info info;
	struct bytes payload = bytes_of(frame + 5, len - 5);
	assert_int_equal(derpframe_decode_client_info(payload, &relay, &info), ERR_NONE);
	assert_memory_equal(info.key.raw, key, KEY_LEN);
	assert_int_equal(info.version, 2);
	assert_true(info.can_ack_pings);
	assert_false(info.is_prober);
	assert_false(info.has_mesh_key);
	for (size_t n = 0; n < payload.len; n++)
		assert_int_not_equal(derpframe_decode_client_info(bytes_take(payload, n), &relay, &info), ERR_NONE);
	for (size_t n = 5; n < len; n++) {
		frame[n] ^= 1;
		assert_int_not_equal(derpframe_decode_client_info(payload, &relay, &info), ERR_NONE);
		frame[n] ^= 1;
	}
	struct private_key other = secret_of(0x33);
	assert_int_equal(derpframe_decode_client_info(payload, &other, &info), ERR_CRYPTO);
	memset(frame + 5, 0, KEY_LEN);
	assert_int_equal(derpframe_decode_client_info(payload, &relay, &info), ERR_MALFORMED);
}

static void server_info_opens(void **state)
{
	(void)state;
	struct private_key relay = secret_of(0x11), client = secret_of(0x22);
	struct public_key relay_public;
	key_public(&relay, &relay_public);
	struct node_key to;
	unhex(client_public, to.raw);
	uint8_t vector[128];
	size_t len = unhex(server_info_frame, vector);
	struct buffer frame, plain;
	buffer_init(&frame, 256);
	buffer_init(&plain, 256);
	assert_int_equal(box_open(&client, relay_public.raw, bytes_of(vector + 5, len - 5), &plain), ERR_NONE);
	assert_true(bytes_equal_text(buffer_bytes(&plain), "{\"version\":2}"));
	buffer_reset(&plain);
	assert_int_equal(derpframe_encode_server_info(&relay, &to, &frame), ERR_NONE);
	assert_int_equal(frame.len, len);
	assert_memory_equal(frame.at, vector, 5);
	assert_int_equal(box_open(&client, relay_public.raw, bytes_skip(buffer_bytes(&frame), 5), &plain), ERR_NONE);
	assert_true(bytes_equal_text(buffer_bytes(&plain), "{\"version\":2}"));
	buffer_clear(&frame);
	buffer_clear(&plain);
}

static void lengths_have_rules(void **state)
{
	(void)state;
	static const struct {
		uint8_t type;
		uint32_t len;
		enum err want;
	} cases[] = {
		{DERPFRAME_SEND_PACKET, 31, ERR_MALFORMED},
		{DERPFRAME_SEND_PACKET, 32, ERR_NONE},
		{DERPFRAME_SEND_PACKET, 32 + 65536, ERR_NONE},
		{DERPFRAME_SEND_PACKET, 33 + 65536, ERR_MALFORMED},
		{DERPFRAME_SEND_PACKET, UINT32_MAX, ERR_MALFORMED},
		{DERPFRAME_NOTE_PREFERRED, 0, ERR_MALFORMED},
		{DERPFRAME_NOTE_PREFERRED, 1, ERR_NONE},
		{DERPFRAME_NOTE_PREFERRED, 2, ERR_MALFORMED},
		{DERPFRAME_PING, 7, ERR_MALFORMED},
		{DERPFRAME_PING, 8, ERR_NONE},
		{DERPFRAME_PING, 1000, ERR_NONE},
		{DERPFRAME_PING, 1001, ERR_MALFORMED},
		{DERPFRAME_WATCH_CONNS, 0, ERR_DENIED},
		{DERPFRAME_WATCH_CONNS, 1, ERR_MALFORMED},
		{DERPFRAME_CLOSE_PEER, 32, ERR_DENIED},
		{DERPFRAME_FORWARD_PACKET, 64, ERR_DENIED},
		{DERPFRAME_PONG, 8, ERR_UNSUPPORTED},
		{DERPFRAME_CLIENT_INFO, 100, ERR_UNSUPPORTED},
		{0x00, 0, ERR_UNSUPPORTED},
		{0xff, UINT32_MAX, ERR_UNSUPPORTED},
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		assert_int_equal(derpframe_check((struct derpframe_header){cases[i].type, cases[i].len}), cases[i].want);
}

static void disco_is_recognised(void **state)
{
	(void)state;
	uint8_t packet[62] = {'T', 'S', 0xf0, 0x9f, 0x92, 0xac};
	assert_true(derpframe_is_disco(bytes_of(packet, 62)));
	assert_false(derpframe_is_disco(bytes_of(packet, 61)));
	packet[5]++;
	assert_false(derpframe_is_disco(bytes_of(packet, 62)));
}

static void client_json_is_judged(void **state)
{
	(void)state;
	static const struct {
		const char *json;
		enum err want;
	} cases[] = {
		{"{}", ERR_NONE},
		{"{\"VERSION\":2,\"canackpings\":true,\"isprober\":true,\"AppName\":\"x\",\"other\":[1,{}]}", ERR_NONE},
		{"{\"version\":null,\"CanAckPings\":null}", ERR_NONE},
		{"{\"version\":\"2\"}", ERR_MALFORMED},
		{"{\"version\":2.5}", ERR_MALFORMED},
		{"{\"CanAckPings\":1}", ERR_MALFORMED},
		{"{\"AppName\":1}", ERR_MALFORMED},
		{"{\"meshKey\":\"\"}", ERR_MALFORMED},
		{"{\"meshKey\":null}", ERR_MALFORMED},
		{"{\"meshKey\":\"00112233\"}", ERR_MALFORMED},
		{"{\"meshkey\":\"00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF\"}", ERR_NONE},
		{"{\"meshKey\":\"0011223344556677z899aabbccddeeff00112233445566778899AABBCCDDEEFF\"}", ERR_MALFORMED},
		{"{} x", ERR_MALFORMED},
		{"[]", ERR_MALFORMED},
		{"null", ERR_MALFORMED},
		{"", ERR_MALFORMED},
		{"{\"version\":2", ERR_MALFORMED},
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct derpframe_client_info info = {0};
		assert_int_equal(derpframe_parse_client_info(bytes_text(cases[i].json), &info), cases[i].want);
	}
	struct derpframe_client_info info = {0};
	assert_int_equal(derpframe_parse_client_info(bytes_text(cases[1].json), &info), ERR_NONE);
	assert_true(info.is_prober && info.can_ack_pings && info.version == 2);
}

static void small_frames_are_encoded(void **state)
{
	(void)state;
	struct node_key peer;
	memset(peer.raw, 0xab, sizeof peer.raw);
	uint8_t gone[DERPFRAME_PEER_GONE_LEN], pong[DERPFRAME_PONG_LEN], recv[DERPFRAME_RECV_HEADER_LEN];
	derpframe_encode_peer_gone(gone, &peer, DERPFRAME_GONE_NOT_HERE);
	assert_memory_equal(gone, "\x08\0\0\0\x21", 5);
	assert_int_equal(gone[37], 1);
	derpframe_encode_pong(pong, (const uint8_t *)"12345678");
	assert_memory_equal(pong,
			    "\x13\0\0\0\x08"
			    "12345678",
			    13);
	derpframe_encode_recv(recv, &peer, 1000);
	assert_memory_equal(recv, "\x05\0\0\x04\x08", 5);
	assert_memory_equal(recv + 5, peer.raw, KEY_LEN);
}

static const struct {
	uint64_t rate, burst;
	const char *json;
} limits[] = {
	{0, 0, "{\"version\":2}"},
	/* No limit: an earlier one ends. */
	{0, 70000, "{\"version\":2}"},
	{1000, 70000, "{\"version\":2,\"TokenBucketBytesPerSecond\":1000,\"TokenBucketBytesBurst\":70000}"},
	/* The largest packet costs them 37 bytes more: with less it could never go. */
	{1, 0, "{\"version\":2,\"TokenBucketBytesPerSecond\":1,\"TokenBucketBytesBurst\":65573}"},
	{1000, 65568, "{\"version\":2,\"TokenBucketBytesPerSecond\":1000,\"TokenBucketBytesBurst\":65573}"},
	{1000, 65573, "{\"version\":2,\"TokenBucketBytesPerSecond\":1000,\"TokenBucketBytesBurst\":65573}"},
	{1000, 65574, "{\"version\":2,\"TokenBucketBytesPerSecond\":1000,\"TokenBucketBytesBurst\":65574}"},
	/* Their integers have a sign. */
	{UINT64_MAX, UINT64_MAX, "{\"version\":2,\"TokenBucketBytesPerSecond\":9223372036854775807,\"TokenBucketBytesBurst\":9223372036854775807}"},
};

static void limits_are_told(void **state)
{
	struct private_key relay, client;
	struct public_key relay_public, to_public;
	struct node_key to;
	(void)state;
	key_mint(&relay, &relay_public);
	key_mint(&client, &to_public);
	memcpy(to.raw, to_public.raw, KEY_LEN);
	for (size_t i = 0; i < COUNT_OF(limits); i++) {
		struct buffer out, plain;
		struct derpframe_header h;
		buffer_init(&out, 1024);
		buffer_init(&plain, 1024);
		assert_int_equal(buffer_add(&out, BYTES("before")), ERR_NONE);
		assert_int_equal(derpframe_encode_server_limits(&relay, &to, limits[i].rate, limits[i].burst, &out), ERR_NONE);
		struct bytes frame = bytes_skip(buffer_bytes(&out), 6);
		assert_int_equal(derpframe_decode(frame, &h), ERR_NONE);
		assert_int_equal(h.type, DERPFRAME_SERVER_INFO);
		assert_int_equal(h.len, frame.len - DERPFRAME_HEADER_LEN);
		assert_int_equal(box_open(&client, relay_public.raw, bytes_skip(frame, DERPFRAME_HEADER_LEN), &plain), ERR_NONE);
		if (!bytes_equal_text(buffer_bytes(&plain), limits[i].json))
			fail_msg("%.*s, not %s", BYTES_ARG(buffer_bytes(&plain)), limits[i].json);
		/* Past its cap the buffer is as it was. */
		size_t len = out.len;
		out.cap = len + frame.len - 1;
		assert_int_equal(derpframe_encode_server_limits(&relay, &to, limits[i].rate, limits[i].burst, &out), ERR_TOO_BIG);
		assert_int_equal(out.len, len);
		buffer_clear(&out);
		buffer_clear(&plain);
	}
}

/* What a relay says of itself to another one is what that reads. */
static void infos_of_relays_are_read(void **state)
{
	struct private_key a, b;
	struct public_key a_public, b_public;
	struct node_key to;
	uint8_t mesh_key[KEY_LEN];
	(void)state;
	key_mint(&a, &a_public);
	key_mint(&b, &b_public);
	random_fill(mesh_key, sizeof mesh_key);
	memcpy(to.raw, b_public.raw, KEY_LEN);
	for (unsigned prober = 0; prober < 2; prober++) {
		struct derpframe_client_info info;
		struct derpframe_header h;
		struct buffer out;
		buffer_init(&out, 1024);
		if (prober)
			assert_int_equal(derpframe_encode_prober_info(&a, &a_public, &to, &out), ERR_NONE);
		else
			assert_int_equal(derpframe_encode_mesh_info(&a, &a_public, &to, mesh_key, &out), ERR_NONE);
		assert_int_equal(derpframe_decode(buffer_bytes(&out), &h), ERR_NONE);
		assert_int_equal(h.type, DERPFRAME_CLIENT_INFO);
		assert_int_equal(h.len, out.len - DERPFRAME_HEADER_LEN);
		struct bytes payload = bytes_skip(buffer_bytes(&out), DERPFRAME_HEADER_LEN);
		assert_int_equal(derpframe_decode_client_info(payload, &b, &info), ERR_NONE);
		assert_memory_equal(info.key.raw, a_public.raw, KEY_LEN);
		assert_int_equal(info.version, 2);
		assert_int_equal(info.is_prober, prober);
		assert_int_equal(info.can_ack_pings, prober);
		assert_int_equal(info.has_mesh_key, !prober);
		if (!prober)
			assert_memory_equal(info.mesh_key, mesh_key, KEY_LEN);
		/* For that one alone, whole, and by its own key. */
		assert_int_equal(derpframe_decode_client_info(payload, &a, &info), ERR_CRYPTO);
		for (size_t len = 0; len < payload.len; len++) {
			enum err e = derpframe_decode_client_info(bytes_take(payload, len), &b, &info);
			assert_true(e == ERR_MALFORMED || (e == ERR_CRYPTO && len >= DERPFRAME_INFO_LEAST));
		}
		for (size_t i = 0; i < payload.len; i++) {
			out.at[DERPFRAME_HEADER_LEN + i] ^= 0x40;
			assert_int_equal(derpframe_decode_client_info(payload, &b, &info), ERR_CRYPTO);
			out.at[DERPFRAME_HEADER_LEN + i] ^= 0x40;
		}
		size_t len = out.len;
		out.cap = 2 * len - 1;
		if (prober)
			assert_int_equal(derpframe_encode_prober_info(&a, &a_public, &to, &out), ERR_TOO_BIG);
		else
			assert_int_equal(derpframe_encode_mesh_info(&a, &a_public, &to, mesh_key, &out), ERR_TOO_BIG);
		assert_int_equal(out.len, len);
		buffer_clear(&out);
	}
}

/* Frames for siblings. */
static void presence_is_told(void **state)
{
	static const struct {
		struct endpoint peer;
		uint8_t flags;
		const char *tail; /* 16 bytes of address, port, flags */
	} cases[] = {
		{{{.family = IP_NONE}, 0}, 1, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1"},
		{{{.family = IP_NONE}, 7}, 1, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1"},
		{{{.family = IP_V4, .byte = {192, 0, 2, 1}}, 0x1234}, 2, "\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\2\1\x12\x34\2"},
		{{{.family = IP_V6, .byte = {0x20, 1, 0xd, 0xb8, [15] = 9}}, 0xfffe}, 12, "\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x09\xff\xfe\x0c"},
	};
	struct node_key key, to;
	uint8_t frame[DERPFRAME_PRESENT_LEN], forward[DERPFRAME_FORWARD_HEADER_LEN], restarting[DERPFRAME_RESTARTING_LEN];
	(void)state;
	memset(key.raw, 0xab, sizeof key.raw);
	memset(to.raw, 0xcd, sizeof to.raw);
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		memset(frame, 0xee, sizeof frame);
		derpframe_encode_peer_present(frame, &key, cases[i].peer, cases[i].flags);
		assert_memory_equal(frame, "\x09\0\0\0\x33", 5);
		assert_memory_equal(frame + 5, key.raw, KEY_LEN);
		assert_memory_equal(frame + 5 + KEY_LEN, cases[i].tail, 19);
	}
	derpframe_encode_forward(forward, &key, &to, 65536);
	assert_memory_equal(forward, "\x0a\0\1\0\x40", 5);
	assert_memory_equal(forward + 5, key.raw, KEY_LEN);
	assert_memory_equal(forward + 5 + KEY_LEN, to.raw, KEY_LEN);
	derpframe_encode_restarting(restarting, 100, 0x01020304);
	assert_memory_equal(restarting, "\x15\0\0\0\x08\0\0\0\x64\1\2\3\4", 13);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(header_needs_five_bytes),  cmocka_unit_test(server_key_is_the_vector), cmocka_unit_test(client_info_is_read),
		cmocka_unit_test(server_info_opens),        cmocka_unit_test(lengths_have_rules),       cmocka_unit_test(disco_is_recognised),
		cmocka_unit_test(client_json_is_judged),    cmocka_unit_test(small_frames_are_encoded), cmocka_unit_test(limits_are_told),
		cmocka_unit_test(infos_of_relays_are_read), cmocka_unit_test(presence_is_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
