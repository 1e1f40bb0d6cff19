#include "pace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void windows(struct pace *p, unsigned count, unsigned each, unsigned busy_percent)
{
	for (unsigned i = 0; i < count; i++) {
		for (unsigned k = 0; k < 10; k++)
			pace_count(p, each);
		pace_window(p, busy_percent * PACE_WINDOW_US / 100, PACE_WINDOW_US);
	}
}

static void busy_with_crumbs_naps_longer(void **state)
{
	struct pace p = {0};
	(void)state;
	windows(&p, 1, 1, 90);
	assert_int_not_equal(p.nap_us, 0);
	unsigned first = p.nap_us;
	windows(&p, 4, 1, 90);
	assert_true(p.nap_us > first);
	windows(&p, 100, 1, 90);
	assert_int_equal(p.nap_us, PACE_MOST_US);
}

static void calm_does_not_nap(void **state)
{
	struct pace p = {0};
	(void)state;
	windows(&p, 100, 1, 20);
	assert_int_equal(p.nap_us, 0);
	windows(&p, 100, 1, 90);
	windows(&p, 100, 1, 10);
	assert_int_equal(p.nap_us, 0);
}

static void well_fed_does_not_nap(void **state)
{
	struct pace p = {0};
	(void)state;
	windows(&p, 100, 30, 100);
	assert_int_equal(p.nap_us, 0);
	windows(&p, 100, 2, 90);
	windows(&p, 100, 64, 100);
	assert_int_equal(p.nap_us, 0);
}

static void between_them_it_stays(void **state)
{
	struct pace p = {0};
	(void)state;
	windows(&p, 5, 1, 90);
	unsigned before = p.nap_us;
	windows(&p, 100, 4, 40);
	assert_int_equal(p.nap_us, before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(busy_with_crumbs_naps_longer), cmocka_unit_test(calm_does_not_nap),
					   cmocka_unit_test(well_fed_does_not_nap), cmocka_unit_test(between_them_it_stays)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
