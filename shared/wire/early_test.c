#include "early.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void encodes(void **state)
{
	(void)state;
	static const char text[] = "{\"nodeKeyChallenge\":\"chalpub:1111111111111111111111111111111111111111111111111111111111111111\"}";
	struct public_key challenge;
	struct buffer out;
	memset(challenge.raw, 0x11, sizeof challenge.raw);
	buffer_init(&out, 200);
	assert_int_equal(early_encode(&challenge, &out), ERR_NONE);
	assert_int_equal(out.len, EARLY_HEADER_LEN + sizeof text - 1);
	assert_memory_equal(out.at, "\xff\xff\xffTS\0\0\0", 8);
	assert_int_equal(out.at[8], sizeof text - 1);
	assert_memory_equal(out.at + EARLY_HEADER_LEN, text, sizeof text - 1);
	size_t len = out.len;
	assert_int_equal(early_encode(&challenge, &out), ERR_TOO_BIG);
	assert_int_equal(out.len, len);
	buffer_clear(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(encodes)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
