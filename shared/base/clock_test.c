#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "clock.h"

static void real_time_moves(void **state)
{
	(void)state;
	uint64_t us = clock_mono_us();
	struct mono mono = clock_mono();
	assert_true(clock_wall().ns > 1700000000000000000);
	while (clock_mono_us() < us + 2000)
		;
	assert_true(clock_mono().ms > mono.ms);
}

static void time_by_hand_stands_still(void **state)
{
	(void)state;
	clock_set_by_hand((struct mono){1000}, wall_of_ms(5000));
	assert_int_equal(clock_mono().ms, 1000);
	assert_int_equal(clock_mono_us(), 1000000);
	assert_int_equal(clock_wall().ns, 5000000000);
	clock_step_by_hand(250);
	assert_int_equal(clock_mono().ms, 1250);
	assert_int_equal(clock_wall().ns, 5250000000);
}

static void zero_is_never(void **state)
{
	(void)state;
	struct wall now = wall_of_ms(1000);
	assert_true(wall_is_zero(WALL_ZERO));
	assert_false(wall_is_zero((struct wall){0}));
	assert_false(wall_passed(WALL_ZERO, now));
	assert_true(wall_passed(now, now));
	assert_false(wall_passed(wall_add_ms(now, 1), now));
	assert_true(wall_is_zero(wall_add_ms(WALL_ZERO, 1)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(real_time_moves),
		cmocka_unit_test(time_by_hand_stands_still),
		cmocka_unit_test(zero_is_never),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
