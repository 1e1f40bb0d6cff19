#include "rates.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char path[] = "/tmp/rates_test_XXXXXX";

static void put(const char *text)
{
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static struct mono at(int64_t ms)
{
	return (struct mono){ms};
}

static void a_bucket(void **state)
{
	(void)state;
	struct rates r;
	struct limit bucket = {0};
	assert_int_equal(rates_open(&r, "", NULL), ERR_NONE);
	/* Without a rate everything passes. */
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(rates_take(&r, &bucket, 65568, at(5)), 0);
	rates_told(&r, (struct rate){100000, 1});
	assert_int_equal(rates_now(&r).burst, RATES_COST_MAX);
	assert_int_equal(rates_take(&r, &bucket, 65568, at(10)), 0);
	assert_int_equal(rates_take(&r, &bucket, 1000, at(10)), 10);
	assert_int_equal(rates_take(&r, &bucket, 1000, at(19)), 1);
	assert_int_equal(rates_take(&r, &bucket, 1000, at(20)), 0);
	/* However large, it can be paid. */
	assert_int_equal(rates_take(&r, &bucket, UINT64_MAX, at(20)), 656);
	assert_int_equal(rates_take(&r, &bucket, UINT64_MAX, at(676)), 0);
	/* Clocks that stand, or jump by years. */
	assert_int_equal(rates_take(&r, &bucket, 65568, at(INT64_MAX / 2)), 0);
	assert_true(rates_take(&r, &bucket, 65568, at(INT64_MAX / 2)) > 600);
	/* Another rate, at once. */
	rates_told(&r, (struct rate){1000000000000, 1000000000000});
	assert_int_equal(rates_take(&r, &bucket, 65568, at(INT64_MAX / 2 + 1)), 0);
	rates_told(&r, (struct rate){0, 0});
	assert_int_equal(rates_take(&r, &bucket, 65568, at(INT64_MAX / 2 + 1)), 0);
	rates_close(&r);
}

/* Another thread may read one that is half told. */
static void a_rate_that_is_half_told(void **state)
{
	(void)state;
	struct rates r;
	struct limit bucket = {0};
	assert_int_equal(rates_open(&r, "", NULL), ERR_NONE);
	atomic_store(&r.per_second, 100000);
	assert_int_equal(rates_now(&r).burst, RATES_COST_MAX);
	assert_int_equal(rates_take(&r, &bucket, RATES_COST_MAX, at(10)), 0);
	assert_int_equal(rates_take(&r, &bucket, 1000, at(10)), 10);
	rates_close(&r);
}

static void changes_are_counted(void **state)
{
	(void)state;
	struct rates r;
	assert_int_equal(rates_open(&r, "", NULL), ERR_NONE);
	/* Still none: clients are told nothing. */
	rates_told(&r, (struct rate){0, 0});
	rates_told(&r, (struct rate){0, 5000});
	assert_int_equal(rates_changes(&r), 0);
	unsigned before = rates_changes(&r);
	rates_told(&r, (struct rate){5, 70000});
	rates_told(&r, (struct rate){5, 70000});
	assert_int_equal(rates_changes(&r), before + 1);
	rates_close(&r);
}

static void a_file(void **state)
{
	(void)state;
	static const char *const bad[] = {"",
					  "{",
					  "[]",
					  "7",
					  "{\"PerClientRateLimitBytesPerSec\":-1}",
					  "{\"PerClientRateLimitBytesPerSec\":\"5\"}",
					  "{\"PerClientRateBurstBytes\":1.5}",
					  "{\"PerClientRateBurstBytes\":2000000000000}"};
	struct rates r;
	struct diag why = {0};
	assert_true(mkstemp(path) >= 0);
	put("{\"PerClientRateLimitBytesPerSec\":1000000,\"PerClientRateBurstBytes\":2000000,\"Other\":[1]}");
	assert_int_equal(rates_open(&r, path, &why), ERR_NONE);
	assert_int_equal(rates_now(&r).per_second, 1000000);
	assert_int_equal(rates_now(&r).burst, 2000000);
	/* Coordinators do not change what a file says. */
	rates_told(&r, (struct rate){7, 7});
	assert_int_equal(rates_now(&r).per_second, 1000000);
	rates_close(&r);
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		put(bad[i]);
		assert_int_not_equal(rates_open(&r, path, &why), ERR_NONE);
		assert_non_null(strstr(why.text, path));
		rates_close(&r);
	}
	unlink(path);
	assert_int_not_equal(rates_open(&r, path, &why), ERR_NONE);
	rates_close(&r);
}

static void a_changed_file(void **state)
{
	(void)state;
	char again[] = "/tmp/rates_test_XXXXXX";
	struct rates r;
	struct loop *loop = loop_new();
	memcpy(path, again, sizeof again);
	assert_true(mkstemp(path) >= 0);
	put("{\"PerClientRateLimitBytesPerSec\":5}");
	assert_int_equal(rates_open(&r, path, NULL), ERR_NONE);
	rates_start(&r, loop);
	put("{\"PerClientRateLimitBytesPerSec\":");
	for (unsigned i = 0; i < 30; i++)
		loop_turn(loop, 50);
	assert_int_equal(rates_now(&r).per_second, 5);
	put("{\"PerClientRateLimitBytesPerSec\":60}");
	for (unsigned i = 0; i < 200 && rates_now(&r).per_second != 60; i++)
		loop_turn(loop, 50);
	assert_int_equal(rates_now(&r).per_second, 60);
	rates_stop(&r);
	rates_close(&r);
	loop_free(&loop);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(a_bucket), cmocka_unit_test(a_rate_that_is_half_told), cmocka_unit_test(changes_are_counted),
					   cmocka_unit_test(a_file), cmocka_unit_test(a_changed_file)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
