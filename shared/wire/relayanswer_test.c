#include "relayanswer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static uint8_t seed[SIGN_SEED_LEN];
static struct sign_key keys[3];

static const struct relayanswer good = {.path = BYTES("/relay/v1/verify"),
					.relay = BYTES("abcdefghijkl"),
					.nonce = BYTES("00112233445566778899aabbccddeeff"),
					.question = BYTES("{\"NodePublic\":\"nodekey:1\"}"),
					.status = 200,
					.answer = BYTES("{\"Allow\":true}")};

static void what_was_signed_is_good(void **state)
{
	char text[RELAYANSWER_TEXT_MAX];
	(void)state;
	relayanswer_sign(&good, seed, text);
	assert_true(strlen(text) < sizeof text);
	assert_true(relayanswer_is_good(&good, bytes_text(text), keys, COUNT_OF(keys)));
	/* Another one's, and nobody's. */
	assert_false(relayanswer_is_good(&good, bytes_text(text), keys, 1));
	assert_false(relayanswer_is_good(&good, bytes_text(text), keys, 0));
}

static void anything_else_is_not(void **state)
{
	struct relayanswer others[] = {good, good, good, good, good, good, good, good};
	char text[RELAYANSWER_TEXT_MAX];
	(void)state;
	others[0].path = BYTES("/relay/v1/announce");
	others[1].relay = BYTES("abcdefghijkm");
	others[2].nonce = BYTES("00112233445566778899aabbccddeefe");
	others[3].question = BYTES("{\"NodePublic\":\"nodekey:2\"}");
	others[4].status = 403;
	others[5].answer = BYTES("{\"Allow\":false}");
	/* The same bytes, divided elsewhere. */
	others[6].path = BYTES("/relay/v1/verifya");
	others[6].relay = BYTES("bcdefghijkl");
	others[7].relay = BYTES("");
	relayanswer_sign(&good, seed, text);
	for (size_t i = 0; i < COUNT_OF(others); i++)
		assert_false(relayanswer_is_good(&others[i], bytes_text(text), keys, COUNT_OF(keys)));
	for (size_t i = 0; i < strlen(text); i++) {
		char kept = text[i];
		text[i] = kept == '0' ? '1' : '0';
		assert_false(relayanswer_is_good(&good, bytes_text(text), keys, COUNT_OF(keys)));
		text[i] = kept;
		assert_false(relayanswer_is_good(&good, bytes_of(text, i), keys, COUNT_OF(keys)));
	}
}

static void nonces(void **state)
{
	(void)state;
	assert_true(relayanswer_is_nonce(good.nonce));
	assert_false(relayanswer_is_nonce(BYTES("")));
	assert_false(relayanswer_is_nonce(BYTES("00112233445566778899aabbccddeef")));
	assert_false(relayanswer_is_nonce(BYTES("00112233445566778899aabbccddeefg")));
}

static int mint(void **state)
{
	uint8_t other[SIGN_SEED_LEN];
	(void)state;
	for (size_t i = 0; i < COUNT_OF(keys); i++) {
		sign_mint(other);
		sign_public(other, &keys[i]);
	}
	sign_mint(seed);
	sign_public(seed, &keys[1]);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_signed_is_good),
		cmocka_unit_test(anything_else_is_not),
		cmocka_unit_test(nonces),
	};
	return cmocka_run_group_tests(tests, mint, NULL);
}
