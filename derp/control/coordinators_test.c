#include "coordinators.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void urls_are_read(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		enum err want;
		unsigned count;
	} cases[] = {
		{"http://a", ERR_NONE, 1},        {" https://a:1/ , http://b/x ,", ERR_NONE, 2},
		{"", ERR_MALFORMED, 0},           {",", ERR_MALFORMED, 0},
		{"ftp://a", ERR_MALFORMED, 0},    {"http://", ERR_MALFORMED, 0},
		{"a:80", ERR_MALFORMED, 0},       {"http://a\tb", ERR_MALFORMED, 0},
		{"http://a b", ERR_MALFORMED, 0},
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct coordinators c = {0};
		assert_int_equal(coordinators_parse(bytes_text(cases[i].text), &c, NULL), cases[i].want);
		assert_int_equal(c.count, cases[i].count);
		coordinators_clear(&c);
	}
}

static void a_failed_one_is_left(void **state)
{
	(void)state;
	struct coordinators c = {0};
	assert_int_equal(coordinators_parse(BYTES("http://a/,http://b"), &c, NULL), ERR_NONE);
	assert_int_equal(coordinators_first(&c), 0);
	coordinators_failed(&c, 1);
	assert_int_equal(coordinators_first(&c), 0);
	coordinators_failed(&c, 0);
	coordinators_failed(&c, 0);
	assert_int_equal(coordinators_first(&c), 1);
	char *url = coordinators_url(&c, coordinators_next(&c, 1), "/x");
	assert_string_equal(url, "http://a/x");
	free(url);
	coordinators_clear(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(urls_are_read), cmocka_unit_test(a_failed_one_is_left)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
