#include "sshcheck.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { ALWAYS = -1, NONE = -1, HOUR = 3600000 };

static const struct sshcheck_login login = {1, 2, 3, BYTES("root")};

static struct sshcheck check(bool answered, const char *refusal)
{
	return (struct sshcheck){.source = 1,
				 .destination = 2,
				 .user = 3,
				 .local_user = BYTES("root"),
				 .answered = answered,
				 .refusal = refusal ? bytes_text(refusal) : BYTES_NONE};
}

static void remembers(void **state)
{
	static const struct {
		int64_t period, age;
		enum sshcheck_step step;
	} trials[] = {
		{HOUR, NONE, SSHCHECK_BEGIN}, {HOUR, 0, SSHCHECK_ACCEPT},        {HOUR, HOUR - 1, SSHCHECK_ACCEPT},
		{HOUR, HOUR, SSHCHECK_BEGIN}, {HOUR, INT64_MAX, SSHCHECK_BEGIN}, {ALWAYS, 0, SSHCHECK_BEGIN},
		{0, 0, SSHCHECK_BEGIN},       {ALWAYS, NONE, SSHCHECK_BEGIN},
	};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(trials); i++) {
		struct sshcheck waits = check(false, NULL);
		enum sshcheck_step step = trials[i].step;

		assert_int_equal(sshcheck_decide(&login, trials[i].period, trials[i].age, NULL, 0), step);
		/* What waits goes on waiting, and what is remembered meanwhile counts for it too. */
		assert_int_equal(sshcheck_decide(&login, trials[i].period, trials[i].age, &waits, 1), step == SSHCHECK_BEGIN ? SSHCHECK_HOLD : step);
		assert_int_equal(sshcheck_decide(&login, trials[i].period, trials[i].age, &waits, 0), step);
	}
}

static void answers(void **state)
{
	struct sshcheck yes = check(true, NULL), no = check(true, "not you"), empty = check(true, "");

	(void)state;
	assert_int_equal(sshcheck_decide(&login, ALWAYS, NONE, &yes, 1), SSHCHECK_ACCEPT);
	assert_int_equal(sshcheck_decide(&login, ALWAYS, NONE, &yes, 0), SSHCHECK_BEGIN);
	assert_int_equal(sshcheck_decide(&login, HOUR, NONE, &no, 1), SSHCHECK_REFUSE);
	assert_int_equal(sshcheck_decide(&login, HOUR, 0, &no, 1), SSHCHECK_REFUSE);
	assert_int_equal(sshcheck_decide(&login, HOUR, NONE, &empty, 1), SSHCHECK_REFUSE);
	assert_int_equal(sshcheck_decide(&login, HOUR, NONE, &no, -5), SSHCHECK_BEGIN);
}

/* An answer is of one source, one destination, one login, and of whoever had the source then. */
static void answers_of_others(void **state)
{
	struct sshcheck others[] = {check(true, NULL), check(true, NULL), check(true, NULL), check(true, NULL), check(false, NULL)};

	(void)state;
	others[0].source = 9;
	others[1].destination = 9;
	others[2].user = 0;
	others[3].local_user = BYTES("roo");
	others[4].source = 9;
	for (size_t i = 0; i < COUNT_OF(others); i++)
		assert_int_equal(sshcheck_decide(&login, HOUR, NONE, &others[i], HOUR), SSHCHECK_BEGIN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(remembers), cmocka_unit_test(answers), cmocka_unit_test(answers_of_others)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
