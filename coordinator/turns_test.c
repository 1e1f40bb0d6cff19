#include "turns.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "mem.h"

enum { ASKERS = 400 };

struct asker {
	struct turn turn;
	unsigned number;
	enum err told;
	bool asked, done;
	atomic_bool may_end; /* its work waits for it */
};

static struct loop *loop;
static struct asker *askers;
static unsigned order[ASKERS], given, done;
static atomic_uint at_once, most_at_once;
static bool turning;

static void work(void *context)
{
	struct asker *a = context;
	unsigned now = ++at_once, most = most_at_once;

	while (now > most && !atomic_compare_exchange_weak(&most_at_once, &most, now))
		;
	while (!a->may_end)
		;
	at_once--;
}

static void on_worked(void *context)
{
	struct asker *a = context;

	assert_true(turning);
	a->done = true;
	done++;
	turn_leave(&a->turn);
}

static void on_turn(void *context, enum err e, const struct diag *why)
{
	struct asker *a = context;

	assert_true(turning);
	assert_false(a->asked);
	a->asked = true;
	a->told = e;
	if (e) {
		assert_true(why->text[0]);
		return;
	}
	order[given++] = a->number;
	turn_work(&a->turn, work, on_worked);
}

static void take(unsigned number, uint64_t tailnet, size_t size)
{
	askers[number].number = number;
	turn_take(&askers[number].turn, loop, tailnet, TURNS_WAITING_OF_TAILNET, size, on_turn, &askers[number]);
}

static void turn(void)
{
	turning = true;
	loop_turn(loop, 1);
	turning = false;
}

static int begin(void **state)
{
	(void)state;
	loop = loop_new();
	askers = x_zalloc(ASKERS * sizeof *askers);
	given = done = 0;
	most_at_once = 0;
	return 0;
}

static int finish(void **state)
{
	(void)state;
	loop_free(&loop);
	free(askers);
	return 0;
}

static void run_until_done(unsigned count)
{
	while (done < count)
		turn();
}

static void one_at_once_of_a_tailnet_and_few_in_all(void **state)
{
	(void)state;
	take(0, 1, 0);
	take(1, 1, 0);
	take(2, 2, 0);
	take(3, 3, 0);
	while (given < 2)
		turn();
	/* The loop turns while both work; nobody else has a turn. */
	for (unsigned i = 0; i < 20; i++)
		turn();
	assert_int_equal(given, 2);
	assert_int_equal(order[0], 0);
	assert_int_equal(order[1], 2);
	askers[2].may_end = true;
	while (given < 3)
		turn();
	assert_int_equal(order[2], 3); /* the first tailnet still works */
	for (unsigned i = 0; i < 4; i++)
		askers[i].may_end = true;
	run_until_done(4);
	assert_int_equal(order[3], 1);
	assert_int_equal(most_at_once, TURNS_AT_ONCE);
}

static void too_many_are_refused(void **state)
{
	unsigned last = TURNS_WAITING_OF_TAILNET + 1;

	(void)state;
	for (unsigned i = 0; i <= last; i++)
		take(i, 1, 0);
	while (!askers[last].asked)
		turn();
	assert_int_equal(askers[last].told, ERR_EXHAUSTED);
	assert_false(askers[last - 1].asked);
	for (unsigned i = 0; i < last; i++)
		askers[i].may_end = true;
	run_until_done(last);
	for (unsigned i = 0; i < last; i++)
		assert_int_equal(order[i], i);
	assert_int_equal(most_at_once, 1);
}

static void all_tailnets_together_are_bounded(void **state)
{
	unsigned last = TURNS_AT_ONCE + TURNS_WAITING_MAX;

	(void)state;
	for (unsigned i = 0; i <= last; i++)
		take(i, 1 + i, 0);
	while (!askers[last].asked)
		turn();
	assert_int_equal(askers[last].told, ERR_UNAVAILABLE);
	for (unsigned i = 0; i < last; i++)
		askers[i].may_end = true;
	run_until_done(last);
}

static void large_texts_are_few(void **state)
{
	unsigned last = TURNS_AT_ONCE + 2;

	(void)state;
	for (unsigned i = 0; i <= last; i++)
		take(i, 1 + i, TURNS_WAITING_BYTES / 2);
	while (!askers[last].asked)
		turn();
	assert_int_equal(askers[last].told, ERR_UNAVAILABLE);
	for (unsigned i = 0; i < last; i++)
		askers[i].may_end = true;
	run_until_done(last);
	assert_int_equal(given, last);
}

static void the_end_cancels_those_that_wait(void **state)
{
	(void)state;
	take(0, 1, 0);
	while (!given)
		turn();
	take(1, 1, 0);
	take(2, 2, 0); /* given, not told yet */
	askers[0].may_end = true;
	turning = true;
	turns_end(loop);
	assert_true(askers[0].done);
	assert_int_equal(askers[1].told, ERR_CANCELED);
	assert_int_equal(askers[2].told, ERR_CANCELED);
	take(3, 1, 0); /* nobody is left in the way */
	askers[3].may_end = true;
	run_until_done(2);
}

static void the_end_tells_also_those_that_are_refused(void **state)
{
	unsigned last = TURNS_WAITING_OF_TAILNET + 1;

	(void)state;
	take(0, 1, 0);
	while (!given)
		turn();
	for (unsigned i = 1; i <= last; i++)
		take(i, 1, 0); /* the last one is refused, and not told yet */
	askers[0].may_end = true;
	turning = true;
	turns_end(loop);
	turning = false;
	for (unsigned i = 1; i < last; i++)
		assert_int_equal(askers[i].told, ERR_CANCELED);
	assert_int_equal(askers[last].told, ERR_EXHAUSTED);
	assert_true(askers[0].done);
}

/* One that has its turn and reads something first: it works as soon as that came, and no sooner than the loop runs. */
static void on_turn_later(void *context, enum err e, const struct diag *why)
{
	struct asker *a = context;

	(void)why;
	a->asked = true;
	a->told = e;
}

static void whoever_has_the_turn_and_does_not_work_keeps_nobody_up(void **state)
{
	(void)state;
	turn_take(&askers[0].turn, loop, 1, TURNS_WAITING_OF_TAILNET, 0, on_turn_later, &askers[0]);
	while (!askers[0].asked)
		turn();
	turns_end(loop);
	assert_int_equal(askers[0].told, ERR_NONE);
	turn_leave(&askers[0].turn);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(one_at_once_of_a_tailnet_and_few_in_all, begin, finish),
		cmocka_unit_test_setup_teardown(too_many_are_refused, begin, finish),
		cmocka_unit_test_setup_teardown(all_tailnets_together_are_bounded, begin, finish),
		cmocka_unit_test_setup_teardown(large_texts_are_few, begin, finish),
		cmocka_unit_test_setup_teardown(the_end_cancels_those_that_wait, begin, finish),
		cmocka_unit_test_setup_teardown(the_end_tells_also_those_that_are_refused, begin, finish),
		cmocka_unit_test_setup_teardown(whoever_has_the_turn_and_does_not_work_keeps_nobody_up, begin, finish),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
