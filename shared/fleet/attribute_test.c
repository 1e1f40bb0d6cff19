#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "attribute.h"

static const struct {
	const char *key;
	enum err key_error, owner_error;
} cases[] = {
	{"custom:os_patch", ERR_NONE, ERR_NONE},
	{"a", ERR_NONE, ERR_NONE},
	{"A.b-c_9:z", ERR_NONE, ERR_NONE},
	{"nodes:os", ERR_NONE, ERR_NONE},
	{"node:os", ERR_NONE, ERR_DENIED},
	{"ip:country", ERR_NONE, ERR_DENIED},
	{"fleetscale:x", ERR_NONE, ERR_DENIED},
	{"", ERR_MALFORMED, ERR_NONE},
	{"9a", ERR_MALFORMED, ERR_NONE},
	{":a", ERR_MALFORMED, ERR_NONE},
	{"a b", ERR_MALFORMED, ERR_NONE},
	{"a/b", ERR_MALFORMED, ERR_NONE},
	{"\xc3\xa4", ERR_MALFORMED, ERR_NONE},
	{"a\n", ERR_MALFORMED, ERR_NONE},
	{"a23456789012345678901234567890123456789012345678901234567890abcd", ERR_NONE, ERR_NONE},
	{"a23456789012345678901234567890123456789012345678901234567890abcde", ERR_MALFORMED, ERR_NONE},
};

static void names(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct diag why = {.text = ""};
		assert_int_equal(attribute_check_key(bytes_text(cases[i].key), &why), cases[i].key_error);
		assert_int_equal(*why.text != 0, cases[i].key_error != ERR_NONE);
		assert_int_equal(attribute_check_owner(bytes_text(cases[i].key), &why), cases[i].owner_error);
	}
	assert_int_equal(attribute_check_key(BYTES("a\0b"), NULL), ERR_MALFORMED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(names)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
