#include "expiry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { DAY = 24 * 3600 };

static int64_t told(int64_t now)
{
	expiry_look(now);
	return metric_sum(&expiry_metrics[EXPIRY_SECONDS], 0);
}

static void the_first_to_expire_counts(void **state)
{
	(void)state;
	assert_int_equal(told(1000), 0);
	expiry_note("a.pem", 0, 5000, true);
	assert_int_equal(told(1000), 4000);
	assert_int_equal(told(1500), 3500);
	expiry_note("b.pem", 0, 3000, true);
	assert_int_equal(told(1500), 1500);
	/* Another door with the same file; read anew by both. */
	expiry_note("b.pem", 0, 3000, true);
	expiry_note("b.pem", 1500, 9000, false);
	expiry_note("b.pem", 1500, 9000, false);
	assert_int_equal(told(1500), 3500);
	assert_int_equal(told(6000), -1000);
	expiry_drop("a.pem");
	assert_int_equal(told(6000), 3000);
	expiry_drop("b.pem");
	assert_int_equal(told(6000), 3000);
	expiry_drop("b.pem");
	assert_int_equal(told(6000), 0);
	expiry_drop("b.pem");
}

static void near_is_by_its_own_time(void **state)
{
	(void)state;
	const int64_t quarter = 90 * DAY, week = 6 * DAY, year = 365 * DAY;
	assert_false(expiry_is_near(0, quarter, quarter - 14 * DAY));
	assert_true(expiry_is_near(0, quarter, quarter - 14 * DAY + 1));
	assert_false(expiry_is_near(0, year, year - 14 * DAY));
	assert_true(expiry_is_near(0, year, year - 14 * DAY + 1));
	/* Renewed every four days. */
	assert_false(expiry_is_near(0, week, 4 * DAY));
	assert_true(expiry_is_near(0, week, 5 * DAY));
	assert_true(expiry_is_near(0, week, 7 * DAY));
	assert_true(expiry_is_near(0, 0, 0) == false && expiry_is_near(0, 0, 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_to_expire_counts),
		cmocka_unit_test(near_is_by_its_own_time),
	};
	metric_register(expiry_metrics);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
