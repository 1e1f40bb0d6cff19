#include "limit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "mem.h"

static unsigned take_all(struct limit *l, int64_t at_ms)
{
	unsigned count = 0;
	while (count < 100 && limit_take(l, (struct rate){1, 3}, (struct mono){at_ms}))
		count++;
	return count;
}

static void burst_then_rate(void **state)
{
	(void)state;
	struct limit l = {0};
	assert_int_equal(take_all(&l, 1000), 3);
	assert_int_equal(take_all(&l, 1999), 0);
	assert_int_equal(take_all(&l, 2000), 1);
	assert_int_equal(take_all(&l, 4500), 2);
	assert_int_equal(take_all(&l, 5000), 1);
	assert_int_equal(take_all(&l, INT64_MAX), 3);
}

static void time_never_runs_backwards_for_it(void **state)
{
	(void)state;
	struct limit l = {0};
	assert_int_equal(take_all(&l, 4000), 3);
	assert_int_equal(take_all(&l, 1000), 0);
}

/* Several at once; nothing is taken when there are too few. */
static void many_at_once(void **state)
{
	static const struct {
		uint64_t cost;
		struct rate rate;
		int64_t at_ms, want;
	} steps[] = {
		{600, {100, 1000}, 1000, 0},
		{600, {100, 1000}, 1000, 2000},
		{600, {100, 1000}, 1001, 1999},
		{400, {100, 1000}, 2500, 0},
		{1, {100, 1000}, 2500, 0}, /* 150 have come */
		{600, {0, 1000}, 2500, INT64_MAX},
		{1001, {100, 1000}, 2500, INT64_MAX},
		/* A burst that has become smaller, and much time. */
		{500, {100, 500}, INT64_MAX - 1, 0},
		{500, {100, 500}, INT64_MAX - 1, 5000},
		{300, {1000000000000, 1000000000000}, INT64_MAX, 0},
	};
	struct limit l = {0};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(steps); i++) {
		int64_t wait_ms = limit_take_many(&l, steps[i].cost, steps[i].rate, (struct mono){steps[i].at_ms});
		if (wait_ms != steps[i].want)
			fail_msg("%zu: %lld", i, (long long)wait_ms);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(burst_then_rate), cmocka_unit_test(time_never_runs_backwards_for_it),
					   cmocka_unit_test(many_at_once)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
