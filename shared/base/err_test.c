#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include <string.h>

#include "err.h"

static void each_code_has_its_name(void **state)
{
	(void)state;
	for (enum err e = ERR_NONE; e < ERR_COUNT; e++) {
		assert_string_not_equal(err_text(e), "unknown error");
		for (enum err other = ERR_NONE; other < e; other++)
			assert_string_not_equal(err_text(e), err_text(other));
	}
	assert_string_equal(err_text(ERR_COUNT), "unknown error");
	assert_string_equal(err_text((enum err) - 1), "unknown error");
}

static void reasons_are_told_and_cut(void **state)
{
	(void)state;
	struct diag why = {.line = 3, .column = 4};
	assert_int_equal(diag_set(&why, ERR_DENIED, "no %s", "way"), ERR_DENIED);
	assert_string_equal(why.text, "no way");
	assert_int_equal(why.line, 3);
	assert_int_equal(diag_set(&why, ERR_BUG, "%1000s", "x"), ERR_BUG);
	assert_int_equal(strlen(why.text), DIAG_TEXT_MAX - 1);
	assert_int_equal(diag_set(NULL, ERR_AGAIN, "nobody asks"), ERR_AGAIN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(each_code_has_its_name), cmocka_unit_test(reasons_are_told_and_cut)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
