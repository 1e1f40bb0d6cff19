#include "pace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { FLOWS = 10 };

/* Windows in which each of ten flows brings so many packets, `each` by one read. */
static void windows(struct pace *p, unsigned count, unsigned packets, unsigned each, unsigned busy_percent)
{
	static unsigned marks[FLOWS];

	for (unsigned i = 0; i < count; i++) {
		for (unsigned k = 0; k < FLOWS; k++)
			for (unsigned left = packets; left; left -= left < each ? left : each)
				pace_count(p, &marks[k], left < each ? left : each);
		pace_window(p, busy_percent * PACE_WINDOW_US / 100, PACE_WINDOW_US);
	}
}

static void strong_flows_are_gathered(void **state)
{
	struct pace p = {.window = 1};
	(void)state;
	/* 20,000 packets per second of each flow: 16 come in 800 us. */
	windows(&p, 50, 40, 1, 80);
	assert_in_range(p.nap_us, 790, 850);
	/* Still so while that saves time; shorter for stronger flows. */
	windows(&p, 50, 40, 16, 30);
	assert_in_range(p.nap_us, 790, 850);
	windows(&p, 50, 160, 10, 60);
	assert_in_range(p.nap_us, 195, 215);
}

/* 12,000 packets per second of each flow: who reads them one by one keeps up with them, and they need not wait. */
static void flows_that_are_kept_up_with_are_not(void **state)
{
	struct pace p = {.window = 1};
	(void)state;
	windows(&p, 50, 24, 1, 90);
	assert_int_equal(p.nap_us, 0);
	/* One stall changes nothing. */
	windows(&p, 1, 24, 24, 90);
	windows(&p, 1, 24, 1, 90);
	assert_int_equal(p.nap_us, 0);
	windows(&p, 50, 24, 4, 90);
	assert_int_equal(p.nap_us, PACE_MOST_US);
	/* Naps themselves are no reason to go on with them. */
	for (unsigned i = 0; i < 400 && p.nap_us; i++)
		windows(&p, 1, 24, 12, 30);
	assert_int_equal(p.nap_us, 0);
	windows(&p, 200, 24, 1, 90);
	assert_int_equal(p.nap_us, 0);
}

static void weak_flows_are_not(void **state)
{
	struct pace p = {.window = 1};
	(void)state;
	windows(&p, 50, 30, 1, 85);
	assert_int_equal(p.nap_us, 0);
	windows(&p, 50, 0, 1, 95);
	assert_int_equal(p.nap_us, 0);
}

/* 170,000 packets per second of a hundred flows: bursts of single flows are worth waiting for. */
static void many_weak_flows_are_gathered(void **state)
{
	struct pace p = {.window = 1};
	unsigned marks[100] = {0};
	(void)state;
	for (unsigned i = 0; i < 50; i++) {
		for (unsigned k = 0; k < 340; k++)
			pace_count(&p, &marks[k % 100], 1);
		pace_window(&p, PACE_WINDOW_US / 2, PACE_WINDOW_US);
	}
	assert_in_range(p.nap_us, 100, PACE_MOST_US);
	for (unsigned i = 0; i < 600; i++) {
		for (unsigned k = 0; k < 220; k++)
			pace_count(&p, &marks[k % 100], 1);
		pace_window(&p, PACE_WINDOW_US, PACE_WINDOW_US);
	}
	assert_int_equal(p.nap_us, 0);
}

static void calm_loops_do_not_nap(void **state)
{
	struct pace p = {.window = 1};
	(void)state;
	windows(&p, 50, 40, 1, 10);
	assert_int_equal(p.nap_us, 0);
}

static void batches_need_no_nap(void **state)
{
	struct pace p = {.window = 1};
	(void)state;
	windows(&p, 50, 400, 30, 100);
	assert_int_equal(p.nap_us, 0);
	/* Naps that bring more than is wanted get shorter, step by step. */
	windows(&p, 50, 40, 1, 80);
	unsigned before = p.nap_us;
	windows(&p, 1, 40, 30, 80);
	assert_in_range(p.nap_us, before / 2, before - 1);
	windows(&p, 50, 40, 30, 80);
	assert_int_equal(p.nap_us, 0);
}

static void a_burst_alone_changes_nothing(void **state)
{
	struct pace p = {.window = 1};
	(void)state;
	windows(&p, 50, 1, 1, 80);
	windows(&p, 1, 40, 1, 80);
	assert_int_equal(p.nap_us, 0);
}

static void waits(struct pace *p, unsigned count, uint64_t us)
{
	for (unsigned i = 0; i < count; i++)
		pace_waited(p, us);
}

static void who_waits_shortly_looks_before_sleeping(void **state)
{
	struct pace p = {.window = 1};
	(void)state;
	assert_int_equal(pace_look_us(&p), 0);
	waits(&p, 20, 10);
	assert_int_equal(pace_look_us(&p), PACE_LOOK_US);
	waits(&p, 20, 100);
	assert_int_equal(pace_look_us(&p), 0);
	/* One in three is not enough. */
	for (unsigned i = 0; i < 20; i++)
		waits(&p, 1, 10), waits(&p, 2, 100);
	assert_int_equal(pace_look_us(&p), 0);
}

static void the_more_comes_the_shorter_it_looks(void **state)
{
	struct pace p = {.window = 1};
	(void)state;
	windows(&p, 50, 8, 1, 60);
	waits(&p, 20, 10);
	assert_int_equal(pace_look_us(&p), PACE_LOOK_US);
	windows(&p, 50, 12, 1, 80);
	waits(&p, 20, 10);
	assert_in_range(pace_look_us(&p), 1, PACE_LOOK_US / 2);
	windows(&p, 50, 18, 1, 90);
	waits(&p, 20, 1);
	assert_int_equal(pace_look_us(&p), 0);
	/* Who naps does not look. */
	windows(&p, 50, 40, 1, 90);
	waits(&p, 20, 1);
	assert_true(p.nap_us);
	assert_int_equal(pace_look_us(&p), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(flows_that_are_kept_up_with_are_not),
					   cmocka_unit_test(strong_flows_are_gathered),
					   cmocka_unit_test(weak_flows_are_not),
					   cmocka_unit_test(many_weak_flows_are_gathered),
					   cmocka_unit_test(calm_loops_do_not_nap),
					   cmocka_unit_test(batches_need_no_nap),
					   cmocka_unit_test(a_burst_alone_changes_nothing),
					   cmocka_unit_test(who_waits_shortly_looks_before_sleeping),
					   cmocka_unit_test(the_more_comes_the_shorter_it_looks)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
