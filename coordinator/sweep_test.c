#include "sweep.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* Nodes that are silent by their rows but online stand first in every look: whoever stands behind them must be found in the end. */
static void test_online_nodes_hide_nobody(void **state)
{
	enum { HIDING = 20000 };
	unsigned most = sweep_next_most(500, 0, 0), looks = 0;

	(void)state;
	for (; most <= HIDING; looks++) {
		assert_true(looks < 20);
		most = sweep_next_most(most, most, 0);
	}
	assert_int_equal(sweep_next_most(most, HIDING + 1, 1), 500);
}

static void test_looks_stay_small_while_they_get_on(void **state)
{
	(void)state;
	assert_int_equal(sweep_next_most(500, 500, 500), 500);
	assert_int_equal(sweep_next_most(500, 499, 0), 500);
	assert_int_equal(sweep_next_most(500, 500, 250), 500);
	assert_int_equal(sweep_next_most(500, 500, 249), 1000);
	assert_int_equal(sweep_next_most(1 << 16, 1 << 16, 0), 1 << 16);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_online_nodes_hide_nobody),
		cmocka_unit_test(test_looks_stay_small_while_they_get_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
