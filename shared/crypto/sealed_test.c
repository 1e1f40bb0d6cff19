#include "sealed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void opens_what_it_made(void **state)
{
	(void)state;
	static const char *const texts[] = {"", "x", "a longer message with \n lines"};
	struct sealed_key key, other;
	struct buffer sealed, plain;

	sealed_key_derive(BYTES("secret"), "ask", &key);
	sealed_key_derive(BYTES("secret"), "answer", &other);
	assert_memory_not_equal(key.raw, other.raw, SEALED_KEY_LEN);
	buffer_init(&sealed, 4096);
	buffer_init(&plain, 4096);
	for (size_t i = 0; i < COUNT_OF(texts); i++) {
		buffer_reset(&sealed);
		buffer_reset(&plain);
		assert_int_equal(sealed_make(&key, bytes_text(texts[i]), &sealed), ERR_NONE);
		assert_int_equal(sealed.len, strlen(texts[i]) + SEALED_EXTRA);
		assert_int_equal(sealed_open(&other, buffer_bytes(&sealed), &plain), ERR_CRYPTO);
		for (size_t at = 0; at < sealed.len; at++) {
			sealed.at[at] ^= 1;
			assert_int_equal(sealed_open(&key, buffer_bytes(&sealed), &plain), ERR_CRYPTO);
			sealed.at[at] ^= 1;
			assert_int_equal(sealed_open(&key, bytes_take(buffer_bytes(&sealed), at), &plain), ERR_CRYPTO);
		}
		assert_int_equal(plain.len, 0);
		assert_int_equal(sealed_open(&key, buffer_bytes(&sealed), &plain), ERR_NONE);
		assert_true(bytes_equal_text(buffer_bytes(&plain), texts[i]));
	}
	buffer_clear(&sealed);
	buffer_clear(&plain);
}

static void keeps_to_caps(void **state)
{
	(void)state;
	struct sealed_key key;
	struct buffer sealed, small;

	sealed_key_derive(BYTES("secret"), "ask", &key);
	buffer_init(&sealed, SEALED_EXTRA + 4);
	buffer_init(&small, 3);
	assert_int_equal(sealed_make(&key, BYTES("12345"), &sealed), ERR_TOO_BIG);
	assert_int_equal(sealed_make(&key, BYTES("1234"), &sealed), ERR_NONE);
	assert_int_equal(sealed_open(&key, buffer_bytes(&sealed), &small), ERR_TOO_BIG);
	assert_int_equal(small.len, 0);
	buffer_clear(&sealed);
	buffer_clear(&small);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(opens_what_it_made), cmocka_unit_test(keeps_to_caps)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
