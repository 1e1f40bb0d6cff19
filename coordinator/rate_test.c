#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "rate.h"

static void test_bucket_empties_and_fills(void **state)
{
	struct rate *rate = rate_new(60, 16);
	struct mono now = {1000};
	unsigned retry_s = 0;

	(void)state;
	for (int i = 0; i < 60; i++)
		assert_true(rate_take(rate, BYTES("a"), now, &retry_s));
	assert_false(rate_take(rate, BYTES("a"), now, &retry_s));
	assert_int_equal(retry_s, 2);
	assert_true(rate_take(rate, BYTES("b"), now, &retry_s));
	now.ms += 999;
	assert_false(rate_take(rate, BYTES("a"), now, &retry_s));
	now.ms += 2;
	assert_true(rate_take(rate, BYTES("a"), now, &retry_s));
	assert_false(rate_take(rate, BYTES("a"), now, &retry_s));
	rate_free(&rate);
	assert_null(rate);
}

static void test_long_silence_fills_and_never_overflows(void **state)
{
	struct rate *rate = rate_new(2, 4);
	struct mono now = {0};
	unsigned retry_s;

	(void)state;
	for (int round = 0; round < 3; round++, now.ms = INT64_MAX / 4 * round) {
		assert_true(rate_take(rate, BYTES("a"), now, &retry_s));
		assert_true(rate_take(rate, BYTES("a"), now, &retry_s));
		assert_false(rate_take(rate, BYTES("a"), now, &retry_s));
		now.ms += INT64_MAX / 8;
	}
	rate_free(&rate);
}

/* Asking all the time must not keep the bucket empty for ever. */
static void test_who_hammers_is_served_at_the_rate(void **state)
{
	struct rate *rate = rate_new(1, 4);
	struct mono now = {0};
	unsigned retry_s, served = 0;

	(void)state;
	for (now.ms = 0; now.ms < 5 * 60000; now.ms += 10)
		served += rate_take(rate, BYTES("a"), now, &retry_s);
	assert_int_equal(served, 5);
	rate_free(&rate);
}

static void test_oldest_bucket_makes_room(void **state)
{
	struct rate *rate = rate_new(1, 2);
	struct mono now = {0};
	unsigned retry_s;

	(void)state;
	assert_true(rate_take(rate, BYTES("a"), now, &retry_s));
	assert_true(rate_take(rate, BYTES("b"), now, &retry_s));
	assert_false(rate_take(rate, BYTES("a"), now, &retry_s));
	assert_true(rate_take(rate, BYTES("c"), now, &retry_s)); /* b goes: it asked longest ago */
	assert_false(rate_take(rate, BYTES("a"), now, &retry_s));
	assert_true(rate_take(rate, BYTES("b"), now, &retry_s));
	rate_free(&rate);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bucket_empties_and_fills),
		cmocka_unit_test(test_long_silence_fills_and_never_overflows),
		cmocka_unit_test(test_who_hammers_is_served_at_the_rate),
		cmocka_unit_test(test_oldest_bucket_makes_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
