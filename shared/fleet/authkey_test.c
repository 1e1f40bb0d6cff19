#include "authkey.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void checks_tags(void **state)
{
	(void)state;
	static const char *good[] = {"tag:a", "tag:Web-1", "tag:a--"};
	static const char *bad[] = {"",
				    "web",
				    "tag:",
				    "tag:1",
				    "tag:-a",
				    "tag:a b",
				    "tag:a_b",
				    "TAG:a",
				    "tag:\xc3\xa4",
				    "tag:a:b",
				    "tag:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
	for (size_t i = 0; i < COUNT_OF(good); i++)
		assert_int_equal(tag_check(bytes_text(good[i]), NULL), ERR_NONE);
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		struct diag why = {0};
		assert_int_equal(tag_check(bytes_text(bad[i]), &why), ERR_MALFORMED);
		assert_true(strlen(why.text) > 10);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(checks_tags)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
