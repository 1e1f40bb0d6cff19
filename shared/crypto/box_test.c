#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "box.h"
#include "text.h"

#define SERVER_PUBLIC "7b4e909bbe7ffe44c465a220037d608ee35897d31ef972f07f74892cb0f73f13"
#define CLIENT_PUBLIC "0faa684ed28867b97f4a6a2dee5df8ce974e76b7018e3f22a1c4cf2678570f20"
#define CLIENT_INFO \
	"000102030405060708090a0b0c0d0e0f1011121314151617" \
	"a858a062bb55fbd0e565bf952225b5e220ae6ff32ce093a7548f0f9efd7331db8b94711fe4546f1ed0d738121d94abe3"
#define SERVER_INFO \
	"6465666768696a6b6c6d6e6f707172737475767778797a7b" \
	"8d01d95db1af44189d5e325fedd3da75cfc25e09be8d771ad932a3e8a2"

struct ends {
	struct private_key server, client;
	struct public_key server_public, client_public;
};

static struct ends ends(void)
{
	struct ends e;
	memset(e.server.raw, 0x11, KEY_LEN);
	memset(e.client.raw, 0x22, KEY_LEN);
	key_public(&e.server, &e.server_public);
	key_public(&e.client, &e.client_public);
	return e;
}

static struct bytes unhex(uint8_t *room, const char *hex)
{
	assert_int_equal(hex_decode(bytes_text(hex), room, strlen(hex) / 2), ERR_NONE);
	return bytes_of(room, strlen(hex) / 2);
}

/* Frames of libsodium, confirmed by a second implementation. */
static void vectors_open(void **state)
{
	(void)state;
	struct ends e = ends();
	uint8_t room[256];
	struct buffer plain;
	buffer_init(&plain, 1000);
	assert_memory_equal(e.server_public.raw, unhex(room, SERVER_PUBLIC).at, KEY_LEN);
	assert_memory_equal(e.client_public.raw, unhex(room, CLIENT_PUBLIC).at, KEY_LEN);
	assert_int_equal(box_open(&e.server, e.client_public.raw, unhex(room, CLIENT_INFO), &plain), ERR_NONE);
	assert_true(bytes_equal(buffer_bytes(&plain), BYTES("{\"version\":2,\"CanAckPings\":true}")));
	buffer_reset(&plain);
	assert_int_equal(box_open(&e.client, e.server_public.raw, unhex(room, SERVER_INFO), &plain), ERR_NONE);
	assert_true(bytes_equal(buffer_bytes(&plain), BYTES("{\"version\":2}")));
	buffer_clear(&plain);
}

static void what_is_sealed_opens(void **state)
{
	(void)state;
	struct ends e = ends();
	static const size_t sizes[] = {0, 1, 100, 70000};
	for (size_t i = 0; i < COUNT_OF(sizes); i++) {
		uint8_t *sent = x_zalloc(sizes[i]);
		struct buffer sealed, plain;
		buffer_init(&sealed, 100000);
		buffer_init(&plain, sizes[i]);
		assert_int_equal(box_seal(&e.client, e.server_public.raw, bytes_of(sent, sizes[i]), &sealed), ERR_NONE);
		assert_int_equal(sealed.len, sizes[i] + BOX_OVERHEAD);
		assert_int_equal(box_open(&e.server, e.client_public.raw, buffer_bytes(&sealed), &plain), ERR_NONE);
		assert_true(bytes_equal(buffer_bytes(&plain), bytes_of(sent, sizes[i])));
		buffer_clear(&sealed);
		buffer_clear(&plain);
		free(sent);
	}
}

static void bad_boxes_are_refused(void **state)
{
	(void)state;
	struct ends e = ends();
	uint8_t room[256], zero[KEY_LEN] = {0};
	struct buffer plain;
	buffer_init(&plain, 1000);
	struct bytes good = unhex(room, CLIENT_INFO);
	for (size_t len = 0; len < good.len; len++) {
		enum err want = len < BOX_OVERHEAD ? ERR_MALFORMED : ERR_CRYPTO;
		assert_int_equal(box_open(&e.server, e.client_public.raw, bytes_take(good, len), &plain), want);
	}
	for (size_t at = 0; at < good.len; at++) {
		room[at] ^= 1;
		assert_int_equal(box_open(&e.server, e.client_public.raw, good, &plain), ERR_CRYPTO);
		room[at] ^= 1;
	}
	assert_int_equal(box_open(&e.server, e.server_public.raw, good, &plain), ERR_CRYPTO);
	assert_int_equal(box_open(&e.client, e.client_public.raw, good, &plain), ERR_CRYPTO);
	assert_int_equal(box_open(&e.server, zero, good, &plain), ERR_CRYPTO);
	assert_int_equal(box_seal(&e.server, zero, BYTES("x"), &plain), ERR_CRYPTO);
	assert_int_equal(plain.len, 0);
	buffer_clear(&plain);
}

static void caps_hold(void **state)
{
	(void)state;
	struct ends e = ends();
	uint8_t room[256];
	struct buffer small;
	buffer_init(&small, 31);
	assert_int_equal(box_open(&e.server, e.client_public.raw, unhex(room, CLIENT_INFO), &small), ERR_TOO_BIG);
	assert_int_equal(box_seal(&e.server, e.client_public.raw, BYTES_NONE, &small), ERR_TOO_BIG);
	assert_int_equal(small.len, 0);
	buffer_clear(&small);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vectors_open),
		cmocka_unit_test(what_is_sealed_opens),
		cmocka_unit_test(bad_boxes_are_refused),
		cmocka_unit_test(caps_hold),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
