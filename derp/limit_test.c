#include "limit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static unsigned take_all(struct limit *l, int64_t at_ms)
{
	unsigned count = 0;
	while (count < 100 && limit_take(l, 1, 3, (struct mono){at_ms}))
		count++;
	return count;
}

static void burst_then_rate(void **state)
{
	(void)state;
	struct limit l;
	limit_init(&l, 3, (struct mono){1000});
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
	struct limit l;
	limit_init(&l, 3, (struct mono){5000});
	assert_int_equal(take_all(&l, 4000), 3);
	assert_int_equal(take_all(&l, 1000), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(burst_then_rate), cmocka_unit_test(time_never_runs_backwards_for_it)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
