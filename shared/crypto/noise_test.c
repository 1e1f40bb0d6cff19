#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <pthread.h>

#include "cipher.h"
#include "noise.h"
#include "text.h"

static struct bytes unhex(uint8_t *room, const char *hex)
{
	size_t len = strlen(hex) / 2;
	assert_int_equal(hex_decode(bytes_text(hex), room, len), ERR_NONE);
	return bytes_of(room, len);
}

static void assert_hex(const void *at, size_t len, const char *hex)
{
	char text[1024];
	assert_true(len * 2 < sizeof(text));
	hex_encode(text, bytes_of(at, len));
	assert_string_equal(text, hex);
}

static struct private_key repeated(uint8_t byte)
{
	struct private_key key;
	memset(key.raw, byte, sizeof(key.raw));
	return key;
}

/* Vectors of an independent implementation of both roles: keys are one byte repeated, version 113. */
#define MACHINE_PUBLIC "7b4e909bbe7ffe44c465a220037d608ee35897d31ef972f07f74892cb0f73f13"
#define SERVER_PUBLIC "7b0d47d93427f8311160781c7c733fd89f88970aef490d8aa0ee19a4cb8a1b14"
#define INITIATION \
	"0071010060" \
	"0faa684ed28867b97f4a6a2dee5df8ce974e76b7018e3f22a1c4cf2678570f20" \
	"61d2949213e755bc180b5d5dbbd8c50a2a1beb69f8940d24cab4606a34cd5d41f9d17afbcd2c70cdff7c982b922df1bd" \
	"9a57bb432d58e197f5f11b644c054435"
#define RESPONSE \
	"020030" \
	"ff2ee45601ec1b67310c7790404585ae697331eee1c1f8cf2419731c1fff3e6b" \
	"0eddc22d979a1022201bb5cd3643c054"
#define HANDSHAKE_HASH "dd297d1d3fa4d71605d3b77e1b173181c073110e4cdf9672828fcdfe4f138b87"
#define KEY_UP "d9811dd6a320dc8484bb37ea989640c99f99a8582f50b829e347bd75da510717"
#define KEY_DOWN "8561e3fd4551ed82ee22220925e41e923d64b1c04b856f8ec1eaa544a511a427"

struct pair {
	struct noise client, server;
};

static void shake(struct pair *p)
{
	struct private_key machine = repeated(0x11), client = repeated(0x22), control = repeated(0x33), server = repeated(0x44);
	struct public_key control_public;
	struct noise_dial dial;
	uint8_t initiation[NOISE_INITIATION_LEN], response[NOISE_RESPONSE_LEN];
	key_public(&control, &control_public);
	assert_hex(control_public.raw, KEY_LEN, SERVER_PUBLIC);
	noise_dial_start(&dial, &machine, &client, &control_public, 113, initiation);
	assert_hex(initiation, sizeof(initiation), INITIATION);
	assert_int_equal(noise_accept_with(&control, &server, bytes_of(initiation, sizeof(initiation)), response, &p->server), ERR_NONE);
	assert_hex(response, sizeof(response), RESPONSE);
	assert_int_equal(noise_dial_finish(&dial, bytes_of(response, sizeof(response)), &p->client), ERR_NONE);
}

static void primitives_agree(void **state)
{
	(void)state;
	uint8_t out[32], key[32];
	cipher_hash(out, BYTES("a"), BYTES("bc"));
	assert_hex(out, 32, "508c5e8c327c14e2e1a72ba34eeb452f37458b209ed63a294d999b4c86675982");
	memset(key, 0x0b, sizeof(key));
	cipher_hmac(out, key, BYTES("Hi "), BYTES("There"));
	assert_hex(out, 32, "0a22725a2d3d42c8f0515617bf249fcd1aaec274c7e94a5058549a5691941426");
}

static void vectors_agree(void **state)
{
	(void)state;
	struct pair p;
	shake(&p);
	assert_hex(p.server.peer.raw, KEY_LEN, MACHINE_PUBLIC);
	assert_int_equal(p.server.version, 113);
	assert_hex(p.server.hash, 32, HANDSHAKE_HASH);
	assert_hex(p.client.hash, 32, HANDSHAKE_HASH);
	assert_hex(p.client.tx.key, 32, KEY_UP);
	assert_hex(p.server.rx.key, 32, KEY_UP);
	assert_hex(p.client.rx.key, 32, KEY_DOWN);
	assert_hex(p.server.tx.key, 32, KEY_DOWN);

	struct buffer up, down;
	buffer_init(&up, 100);
	buffer_init(&down, 100);
	assert_int_equal(noise_seal(&p.client.tx, BYTES("hello"), &up), ERR_NONE);
	assert_int_equal(noise_seal(&p.client.tx, BYTES("hello"), &up), ERR_NONE);
	assert_hex(up.at, up.len,
		   "0400153eb7c70f517b459ce906fe831d0a1cc7d9d8bf3725"
		   "04001506247a9f9b8d4f68a2fe2e148d0b8612cfd0d21146");
	assert_int_equal(noise_seal(&p.server.tx, BYTES("hello"), &down), ERR_NONE);
	assert_hex(down.at, down.len, "040015916b2f8d08168f8cec88cc3a625b975d5566051b63");
	buffer_clear(&up);
	buffer_clear(&down);
	noise_wipe(&p.client);
	assert_true(key_is_zero(p.client.tx.key));
}

static void initiation_is_checked(void **state)
{
	(void)state;
	struct private_key control = repeated(0x33), other = repeated(0x34);
	uint8_t room[NOISE_INITIATION_LEN + 1], response[NOISE_RESPONSE_LEN];
	struct noise noise;
	uint16_t version;
	struct bytes good = unhex(room, INITIATION);
	assert_int_equal(noise_accept(&other, good, response, &noise), ERR_CRYPTO);
	assert_int_equal(noise_peek_version(good, &version), ERR_NONE);
	assert_int_equal(version, 113);
	for (size_t len = 0; len <= sizeof(room); len++) {
		enum err want = len == NOISE_INITIATION_LEN ? ERR_NONE : ERR_MALFORMED;
		assert_int_equal(noise_peek_version(bytes_of(room, len), &version), want);
		assert_int_equal(noise_accept(&control, bytes_of(room, len), response, &noise), want);
	}
	for (size_t bit = 0; bit < NOISE_INITIATION_LEN * 8; bit++) {
		room[bit / 8] ^= (uint8_t)(1 << bit % 8);
		enum err e = noise_accept(&control, good, response, &noise);
		assert_int_equal(e, bit / 8 >= 2 && bit / 8 < 5 ? ERR_MALFORMED : ERR_CRYPTO);
		room[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	memset(room + 5, 0, 32); /* a point of small order */
	assert_int_equal(noise_accept(&control, good, response, &noise), ERR_CRYPTO);
}

static void response_is_checked(void **state)
{
	(void)state;
	struct private_key machine = repeated(0x11), ephemeral = repeated(0x22);
	struct public_key control;
	uint8_t initiation[NOISE_INITIATION_LEN], room[NOISE_RESPONSE_LEN];
	struct noise_dial dial;
	struct noise noise;
	unhex(control.raw, SERVER_PUBLIC);
	struct bytes response = unhex(room, RESPONSE);
	for (size_t at = 0; at < response.len; at++) {
		noise_dial_start(&dial, &machine, &ephemeral, &control, 113, initiation);
		room[at] ^= 0x40;
		assert_int_equal(noise_dial_finish(&dial, response, &noise), at < 3 ? ERR_MALFORMED : ERR_CRYPTO);
		room[at] ^= 0x40;
	}
	noise_dial_start(&dial, &machine, &ephemeral, &control, 113, initiation);
	assert_int_equal(noise_dial_finish(&dial, bytes_take(response, 50), &noise), ERR_MALFORMED);
	memset(&control, 0, sizeof(control)); /* a server key of small order gives nothing that anybody could answer */
	noise_dial_start(&dial, &machine, &ephemeral, &control, 113, initiation);
	assert_int_equal(noise_dial_finish(&dial, response, &noise), ERR_CRYPTO);
}

static void versions_go_through(void **state)
{
	(void)state;
	static const uint16_t versions[] = {0, 1, 9, 10, 90, 142, 9999, 65535};
	for (size_t i = 0; i < COUNT_OF(versions); i++) {
		struct private_key control, machine, ephemeral;
		struct public_key control_public, machine_public, unused;
		uint8_t initiation[NOISE_INITIATION_LEN], response[NOISE_RESPONSE_LEN];
		struct noise_dial dial;
		struct noise client, server;
		key_mint(&control, &control_public);
		key_mint(&machine, &machine_public);
		key_mint(&ephemeral, &unused);
		noise_dial_start(&dial, &machine, &ephemeral, &control_public, versions[i], initiation);
		assert_int_equal(noise_accept(&control, bytes_of(initiation, sizeof(initiation)), response, &server), ERR_NONE);
		assert_int_equal(noise_dial_finish(&dial, bytes_of(response, sizeof(response)), &client), ERR_NONE);
		assert_int_equal(server.version, versions[i]);
		assert_true(key_equal(server.peer.raw, machine_public.raw));
		assert_memory_equal(client.hash, server.hash, 32);
	}
}

/* Bytes of any length arrive as they were sent, whole and split at every byte. */
static void records_carry_streams(void **state)
{
	(void)state;
	static const size_t sizes[] = {0, 1, 230, NOISE_PLAIN_MAX - 1, NOISE_PLAIN_MAX, NOISE_PLAIN_MAX + 1, 3 * NOISE_PLAIN_MAX + 7};
	for (size_t i = 0; i < COUNT_OF(sizes); i++) {
		struct pair p;
		shake(&p);
		struct buffer sealed, plain;
		buffer_init(&sealed, 100000);
		buffer_init(&plain, 100000);
		uint8_t *sent = x_alloc(sizes[i]);
		random_fill(sent, sizes[i]);
		assert_int_equal(noise_seal(&p.server.tx, bytes_of(sent, sizes[i]), &sealed), ERR_NONE);
		size_t records = (sizes[i] + NOISE_PLAIN_MAX - 1) / NOISE_PLAIN_MAX;
		assert_int_equal(sealed.len, sizes[i] + records * 19);
		assert_int_equal(p.server.tx.counter, records);
		while (sealed.len) {
			size_t used, whole = NOISE_HEADER_LEN + get_be16(sealed.at + 1), had = plain.len;
			assert_true(whole <= NOISE_RECORD_MAX);
			for (size_t len = 0; len < whole; len++) {
				assert_int_equal(noise_open(&p.client.rx, bytes_of(sealed.at, len), &plain, &used), ERR_AGAIN);
				assert_int_equal(used, 0);
			}
			assert_int_equal(plain.len, had);
			assert_int_equal(noise_open(&p.client.rx, buffer_bytes(&sealed), &plain, &used), ERR_NONE);
			assert_int_equal(used, whole);
			buffer_consume(&sealed, used);
		}
		assert_int_equal(plain.len, sizes[i]);
		assert_memory_equal(plain.at ? plain.at : sent, sent, sizes[i]);
		free(sent);
		buffer_clear(&sealed);
		buffer_clear(&plain);
	}
}

static void bad_records_are_refused(void **state)
{
	(void)state;
	static const struct {
		const char *hex;
		enum err want;
	} cases[] = {
		{"", ERR_AGAIN},
		{"04", ERR_AGAIN},
		{"0400", ERR_AGAIN},
		{"03", ERR_MALFORMED},
		{"00", ERR_MALFORMED},
		{"02003000", ERR_MALFORMED},
		{"04000f", ERR_MALFORMED},
		{"040000", ERR_MALFORMED},
		{"040ffe", ERR_MALFORMED},
		{"04ffff", ERR_MALFORMED},
		{"040ffd", ERR_AGAIN},
		{"040010", ERR_AGAIN},
		{"04001000000000000000000000000000000000", ERR_CRYPTO},
	};
	struct pair p;
	shake(&p);
	struct buffer plain;
	buffer_init(&plain, 10000);
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		uint8_t room[64];
		size_t used = 1;
		assert_int_equal(noise_open(&p.server.rx, unhex(room, cases[i].hex), &plain, &used), cases[i].want);
		assert_int_equal(used, 0);
	}
	assert_int_equal(p.server.rx.counter, 0);
	struct buffer sealed;
	buffer_init(&sealed, 1000);
	assert_int_equal(noise_seal(&p.client.tx, BYTES("hello"), &sealed), ERR_NONE);
	for (size_t at = NOISE_HEADER_LEN; at < sealed.len; at++) {
		size_t used;
		sealed.at[at] ^= 1;
		assert_int_equal(noise_open(&p.server.rx, buffer_bytes(&sealed), &plain, &used), ERR_CRYPTO);
		sealed.at[at] ^= 1;
	}
	assert_int_equal(plain.len, 0);
	buffer_clear(&sealed);
	buffer_clear(&plain);
}

static void empty_records_are_legal(void **state)
{
	(void)state;
	struct pair p;
	shake(&p);
	uint8_t record[NOISE_HEADER_LEN + NOISE_TAG_LEN] = {NOISE_TYPE_RECORD, 0, NOISE_TAG_LEN};
	cipher_seal(p.client.tx.key, 0, BYTES_NONE, BYTES_NONE, record + NOISE_HEADER_LEN);
	struct buffer plain;
	size_t used;
	buffer_init(&plain, 0);
	assert_int_equal(noise_open(&p.server.rx, bytes_of(record, sizeof(record)), &plain, &used), ERR_NONE);
	assert_int_equal(used, sizeof(record));
	assert_int_equal(p.server.rx.counter, 1);
	buffer_clear(&plain);
}

static void caps_change_nothing(void **state)
{
	(void)state;
	struct pair p;
	shake(&p);
	struct buffer small, sealed;
	size_t used;
	buffer_init(&small, 23);
	assert_int_equal(noise_seal(&p.client.tx, BYTES("hello"), &small), ERR_TOO_BIG);
	assert_int_equal(p.client.tx.counter, 0);
	assert_int_equal(small.len, 0);
	buffer_init(&sealed, 24);
	assert_int_equal(noise_seal(&p.client.tx, BYTES("hello"), &sealed), ERR_NONE);
	buffer_clear(&small);
	buffer_init(&small, 4);
	assert_int_equal(noise_open(&p.server.rx, buffer_bytes(&sealed), &small, &used), ERR_TOO_BIG);
	assert_int_equal(p.server.rx.counter, 0);
	assert_int_equal(used, 0);
	buffer_clear(&small);
	buffer_init(&small, 5);
	assert_int_equal(noise_open(&p.server.rx, buffer_bytes(&sealed), &small, &used), ERR_NONE);
	assert_true(bytes_equal(buffer_bytes(&small), BYTES("hello")));
	buffer_clear(&small);
	buffer_clear(&sealed);
}

static void counters_end(void **state)
{
	(void)state;
	struct pair p;
	shake(&p);
	struct buffer sealed, plain;
	size_t used;
	buffer_init(&sealed, 10000);
	buffer_init(&plain, 10000);
	p.client.tx.counter = p.server.rx.counter = UINT64_MAX - 1;
	static const uint8_t two_records[NOISE_PLAIN_MAX + 1];
	assert_int_equal(noise_seal(&p.client.tx, bytes_of(two_records, sizeof(two_records)), &sealed), ERR_EXHAUSTED);
	assert_int_equal(noise_seal(&p.client.tx, BYTES("last"), &sealed), ERR_NONE);
	assert_int_equal(noise_seal(&p.client.tx, BYTES("never"), &sealed), ERR_EXHAUSTED);
	assert_int_equal(noise_open(&p.server.rx, buffer_bytes(&sealed), &plain, &used), ERR_NONE);
	assert_int_equal(noise_open(&p.server.rx, buffer_bytes(&sealed), &plain, &used), ERR_EXHAUSTED);
	buffer_clear(&sealed);
	buffer_clear(&plain);
}

static void errors_are_framed(void **state)
{
	(void)state;
	struct buffer out;
	buffer_init(&out, 8);
	assert_int_equal(noise_error_frame("too old", &out), ERR_TOO_BIG);
	assert_int_equal(noise_error_frame("old", &out), ERR_NONE);
	assert_hex(out.at, out.len, "0300036f6c64");
	buffer_clear(&out);
	char *huge = x_alloc(UINT16_MAX + 2);
	memset(huge, 'x', UINT16_MAX + 1);
	huge[UINT16_MAX + 1] = 0;
	buffer_init(&out, SIZE_MAX);
	assert_int_equal(noise_error_frame(huge, &out), ERR_TOO_BIG);
	free(huge);
}

/* Computed with hashlib and the Python package cryptography, from the Noise specification and this module's header alone. */
static void link_vectors_agree(void **state)
{
	(void)state;
	struct private_key first = repeated(0x22), second = repeated(0x44);
	struct noise_psk psk;
	struct noise dialer, gate;
	uint8_t message[NOISE_PSK_MESSAGE_LEN], answer[NOISE_PSK_MESSAGE_LEN];
	struct bytes secret = BYTES("cluster secret"), prologue = BYTES("fleetscale link 1");
	noise_psk_start_with(&psk, secret, prologue, &first, message);
	assert_hex(message, sizeof(message), "0faa684ed28867b97f4a6a2dee5df8ce974e76b7018e3f22a1c4cf2678570f201d3f7a9f4b90ac6f0feb3a34992a72e7");
	assert_int_equal(noise_psk_accept_with(secret, prologue, &second, bytes_of(message, sizeof(message)), answer, &gate), ERR_NONE);
	assert_hex(answer, sizeof(answer), "ff2ee45601ec1b67310c7790404585ae697331eee1c1f8cf2419731c1fff3e6be6cb0625d35ef17b27562b6e2f661224");
	assert_int_equal(noise_psk_finish(&psk, bytes_of(answer, sizeof(answer)), &dialer), ERR_NONE);
	assert_hex(dialer.hash, 32, "450a6bfa9dfffd65e718bce2aa747f6dafdc77a9060d3e9caad05051f3d9df50");
	assert_hex(gate.hash, 32, "450a6bfa9dfffd65e718bce2aa747f6dafdc77a9060d3e9caad05051f3d9df50");
	assert_hex(dialer.tx.key, 32, "3fb7226d0480475d782296f2e1278cf7f59bc7416f9fdbd8c3fd29ee0464ed7f");
	assert_hex(gate.rx.key, 32, "3fb7226d0480475d782296f2e1278cf7f59bc7416f9fdbd8c3fd29ee0464ed7f");
	assert_hex(dialer.rx.key, 32, "5c5079e81c972fa3a9d4f34e982453c990e7e94244937f4f7896eec94580cb74");
	assert_hex(gate.tx.key, 32, "5c5079e81c972fa3a9d4f34e982453c990e7e94244937f4f7896eec94580cb74");
}

static void link_refuses_strangers(void **state)
{
	(void)state;
	struct noise_psk psk;
	struct noise noise;
	uint8_t message[NOISE_PSK_MESSAGE_LEN] = {0}, answer[NOISE_PSK_MESSAGE_LEN];
	struct bytes secret = BYTES("cluster secret"), prologue = BYTES("fleetscale link 1"), sent = bytes_of(message, sizeof(message));
	noise_psk_start(&psk, secret, prologue, message);
	assert_int_equal(noise_psk_accept(BYTES("other secret"), prologue, sent, answer, &noise), ERR_CRYPTO);
	assert_int_equal(noise_psk_accept(secret, BYTES("fleetscale link 2"), sent, answer, &noise), ERR_CRYPTO);
	assert_int_equal(noise_psk_accept(secret, prologue, bytes_take(sent, 47), answer, &noise), ERR_MALFORMED);
	for (size_t at = 0; at < sizeof(message); at++) {
		message[at] ^= 1;
		assert_int_equal(noise_psk_accept(secret, prologue, sent, answer, &noise), ERR_CRYPTO);
		message[at] ^= 1;
	}
	assert_int_equal(noise_psk_finish(&psk, bytes_take(sent, 47), &noise), ERR_MALFORMED);
	assert_int_equal(noise_psk_finish(&psk, sent, &noise), ERR_CRYPTO); /* its own message, thrown back */
	noise_psk_start(&psk, secret, prologue, message);
	assert_int_equal(noise_psk_accept(secret, prologue, sent, answer, &noise), ERR_NONE);
	answer[40] ^= 1;
	assert_int_equal(noise_psk_finish(&psk, bytes_of(answer, sizeof(answer)), &noise), ERR_CRYPTO);
}

static void *seal_in_thread(void *arg)
{
	struct noise *noise = arg;
	struct buffer out;
	buffer_init(&out, 1000);
	assert_int_equal(noise_seal(&noise->tx, BYTES("from another thread"), &out), ERR_NONE);
	buffer_clear(&out);
	return NULL;
}

static void threads_have_their_own_contexts(void **state)
{
	(void)state;
	struct pair p;
	shake(&p);
	pthread_t thread;
	assert_int_equal(pthread_create(&thread, NULL, seal_in_thread, &p.client), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(p.client.tx.counter, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(primitives_agree),        cmocka_unit_test(vectors_agree),
		cmocka_unit_test(initiation_is_checked),   cmocka_unit_test(response_is_checked),
		cmocka_unit_test(versions_go_through),     cmocka_unit_test(records_carry_streams),
		cmocka_unit_test(bad_records_are_refused), cmocka_unit_test(empty_records_are_legal),
		cmocka_unit_test(caps_change_nothing),     cmocka_unit_test(counters_end),
		cmocka_unit_test(errors_are_framed),       cmocka_unit_test(link_vectors_agree),
		cmocka_unit_test(link_refuses_strangers),  cmocka_unit_test(threads_have_their_own_contexts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
