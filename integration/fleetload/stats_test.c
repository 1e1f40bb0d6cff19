#include "stats.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void test_empty(void **state)
{
	static struct stats s;

	(void)state;
	assert_int_equal(stats_quantile(&s, 0.5), 0);
}

static void test_quantiles_are_near(void **state)
{
	static struct stats s;

	(void)state;
	for (uint64_t us = 1; us <= 100000; us++)
		stats_add(&s, us);
	assert_int_equal(s.max, 100000);
	assert_in_range(stats_quantile(&s, 0.5), 49000, 51000);
	assert_in_range(stats_quantile(&s, 0.99), 98000, 100000);
	assert_int_equal(stats_quantile(&s, 1), 100000);
}

static void test_small_and_huge(void **state)
{
	static struct stats s;

	(void)state;
	stats_add(&s, 3);
	assert_int_equal(stats_quantile(&s, 0.5), 3);
	stats_add(&s, UINT64_MAX);
	assert_int_equal(stats_quantile(&s, 0.5), 3);
	assert_int_equal(s.max, UINT64_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_empty), cmocka_unit_test(test_quantiles_are_near), cmocka_unit_test(test_small_and_huge)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
