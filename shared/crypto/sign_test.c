#include "sign.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "text.h"

/* RFC 8032, 7.1, test 2. */
static void a_known_signature(void **state)
{
	uint8_t seed[SIGN_SEED_LEN], key[SIGN_KEY_LEN], want[SIGN_LEN], made[SIGN_LEN];
	struct sign_key public_key;
	const uint8_t text[] = {0x72};
	(void)state;
	assert_int_equal(hex_decode(BYTES("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"), seed, sizeof seed), ERR_NONE);
	assert_int_equal(hex_decode(BYTES("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"), key, sizeof key), ERR_NONE);
	assert_int_equal(hex_decode(BYTES("92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d"
					  "291612bb0c00"),
				    want, sizeof want),
			 ERR_NONE);
	sign_public(seed, &public_key);
	assert_memory_equal(public_key.raw, key, sizeof key);
	sign_make(seed, bytes_of(text, sizeof text), made);
	assert_memory_equal(made, want, sizeof want);
	assert_true(sign_is_good(&public_key, bytes_of(text, sizeof text), made));
}

static void anything_else_is_not_good(void **state)
{
	uint8_t seed[SIGN_SEED_LEN], other_seed[SIGN_SEED_LEN], made[SIGN_LEN];
	struct sign_key key, other;
	(void)state;
	sign_mint(seed);
	sign_mint(other_seed);
	sign_public(seed, &key);
	sign_public(other_seed, &other);
	sign_make(seed, BYTES("text"), made);
	assert_true(sign_is_good(&key, BYTES("text"), made));
	assert_false(sign_is_good(&other, BYTES("text"), made));
	assert_false(sign_is_good(&key, BYTES("texT"), made));
	assert_false(sign_is_good(&key, BYTES(""), made));
	for (unsigned i = 0; i < SIGN_LEN; i++) {
		made[i] ^= 1;
		assert_false(sign_is_good(&key, BYTES("text"), made));
		made[i] ^= 1;
	}
}

static void keys_as_text(void **state)
{
	static const char *const bad[] = {"",
					  "ed25519:",
					  "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
					  "ed25519:3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af466",
					  "ed25519:0000000000000000000000000000000000000000000000000000000000000000",
					  "ed25519:3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c0"};
	uint8_t seed[SIGN_SEED_LEN];
	struct sign_key key, again;
	char text[SIGN_TEXT_MAX];
	(void)state;
	sign_mint(seed);
	sign_public(seed, &key);
	sign_format(text, &key);
	assert_int_equal(sign_parse(bytes_text(text), &again), ERR_NONE);
	assert_memory_equal(&key, &again, sizeof key);
	for (size_t i = 0; i < COUNT_OF(bad); i++)
		assert_int_equal(sign_parse(bytes_text(bad[i]), &key), ERR_MALFORMED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_known_signature),
		cmocka_unit_test(anything_else_is_not_good),
		cmocka_unit_test(keys_as_text),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
