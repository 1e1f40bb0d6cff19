#include "port80.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

/* Answers in a row, '+' or '-'; at each one 'c' when it is known anew, else '.'. */
static void assert_changes(const char *answers, const char *changes, bool at_last)
{
	struct port80 p = {0};
	assert_int_equal(strlen(answers), strlen(changes));
	for (size_t i = 0; answers[i]; i++)
		assert_int_equal(port80_judge(&p, answers[i] == '+'), changes[i] == 'c');
	assert_int_equal(p.good, at_last);
}

static void the_first_answer_counts_at_once(void **state)
{
	(void)state;
	assert_changes("+", "c", true);
	assert_changes("-", "c", false);
	assert_changes("++++", "c...", true);
}

static void a_change_needs_several_in_a_row(void **state)
{
	(void)state;
	assert_changes("+--", "c..", true);
	assert_changes("+---", "c..c", false);
	assert_changes("+--+--+--", "c........", true);
	assert_changes("-+++", "c..c", true);
	assert_changes("-+++---", "c..c..c", false);
	assert_changes("-++++--", "c..c...", true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_answer_counts_at_once),
		cmocka_unit_test(a_change_needs_several_in_a_row),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
