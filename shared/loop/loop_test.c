#include "loop.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static unsigned fired[8], order[8], count;

static void on_due(void *context)
{
	unsigned i = (unsigned)(uintptr_t)context;
	fired[i]++;
	if (count < COUNT_OF(order))
		order[count++] = i;
}

static void begin(void)
{
	memset(fired, 0, sizeof(fired));
	count = 0;
	clock_set_by_hand((struct mono){1000000}, (struct wall){0});
}

static void step(struct loop *loop, int64_t ms)
{
	clock_step_by_hand(ms);
	loop_turn(loop, 0);
}

static void timers_fire_when_due_and_in_order(void **state)
{
	(void)state;
	begin();
	struct loop *loop = loop_new();
	struct timer t[5];
	static const int64_t in[5] = {300, 1, 70000, 299, 20000000};
	for (uintptr_t i = 0; i < 5; i++) {
		timer_init(&t[i], loop, on_due, (void *)i);
		timer_set(&t[i], in[i]);
		assert_true(timer_is_set(&t[i]));
	}
	step(loop, 0);
	assert_int_equal(count, 0);
	step(loop, 1);
	assert_int_equal(fired[1], 1);
	step(loop, 297);
	assert_int_equal(count, 1);
	step(loop, 2);
	assert_int_equal(order[1], 3);
	assert_int_equal(order[2], 0);
	step(loop, 69699);
	assert_int_equal(fired[2], 0);
	step(loop, 1);
	assert_int_equal(fired[2], 1);
	step(loop, 20000000);
	assert_int_equal(fired[4], 1);
	assert_false(timer_is_set(&t[4]));
	loop_free(&loop);
	assert_null(loop);
}

static void timers_are_exact_at_every_distance(void **state)
{
	(void)state;
	begin();
	struct loop *loop = loop_new();
	struct timer t;
	timer_init(&t, loop, on_due, NULL);
	srand(1);
	for (unsigned round = 0; round < 2000; round++) {
		int64_t in = 1 + rand() % (round % 3 == 0 ? 300 : round % 3 == 1 ? 100000 : 50000000);
		unsigned before = fired[0];
		timer_set(&t, in);
		step(loop, in - 1);
		assert_int_equal(fired[0], before);
		step(loop, 1);
		assert_int_equal(fired[0], before + 1);
		step(loop, rand() % 700);
	}
	timer_set(&t, INT64_C(5000000000)); /* past the wheel's horizon */
	step(loop, INT64_C(4999999999));
	assert_int_equal(fired[0], 2000);
	step(loop, 1);
	assert_int_equal(fired[0], 2001);
	loop_free(&loop);
}

static void timers_can_be_moved_and_canceled(void **state)
{
	(void)state;
	begin();
	struct loop *loop = loop_new();
	struct timer t;
	timer_init(&t, loop, on_due, NULL);
	timer_cancel(&t);
	timer_set(&t, 10);
	timer_set(&t, 20);
	step(loop, 10);
	assert_int_equal(fired[0], 0);
	step(loop, 10);
	assert_int_equal(fired[0], 1);
	timer_set(&t, 10);
	timer_cancel(&t);
	assert_false(timer_is_set(&t));
	step(loop, 100);
	assert_int_equal(fired[0], 1);
	loop_free(&loop);
}

static struct timer again;

static void on_due_again(void *context)
{
	fired[0]++;
	(void)context;
	timer_set(&again, 0);
}

static void a_timer_set_to_now_waits_for_the_next_turn(void **state)
{
	(void)state;
	begin();
	struct loop *loop = loop_new();
	timer_init(&again, loop, on_due_again, NULL);
	timer_set(&again, 0);
	loop_turn(loop, 1000);
	assert_int_equal(fired[0], 1);
	loop_turn(loop, 1000);
	assert_int_equal(fired[0], 2);
	timer_cancel(&again);
	loop_free(&loop);
}

static struct loop *defer_loop;
static struct defer second;

static void on_end_first(void *context)
{
	on_due(context);
	loop_defer(defer_loop, &second);
}

static void deferrals_run_once_at_the_end_of_the_turn(void **state)
{
	(void)state;
	begin();
	defer_loop = loop_new();
	struct defer first, never;
	defer_init(&first, on_end_first, (void *)1);
	defer_init(&second, on_due, (void *)2);
	defer_init(&never, on_due, (void *)3);
	loop_defer(defer_loop, &first);
	loop_defer(defer_loop, &first);
	loop_defer(defer_loop, &never);
	defer_cancel(&never);
	assert_int_equal(count, 0);
	loop_turn(defer_loop, 1000);
	assert_int_equal(count, 2);
	assert_int_equal(order[0], 1);
	assert_int_equal(order[1], 2);
	loop_turn(defer_loop, 0);
	assert_int_equal(count, 2);
	loop_free(&defer_loop);
}

enum { POSTS = 20000 };
static struct loop *post_loop;
static uintptr_t next_post[2];

static void on_post(void *context)
{
	uintptr_t who = (uintptr_t)context / POSTS, n = (uintptr_t)context % POSTS;
	assert_int_equal(next_post[who], n);
	next_post[who]++;
	if (next_post[0] == POSTS && next_post[1] == POSTS)
		loop_stop(post_loop);
}

static void *poster(void *context)
{
	for (uintptr_t i = 0; i < POSTS; i++)
		loop_post(post_loop, on_post, (void *)((uintptr_t)context * POSTS + i));
	return NULL;
}

static void posts_arrive_in_order_from_each_thread(void **state)
{
	(void)state;
	begin();
	post_loop = loop_new();
	pthread_t a, b;
	pthread_create(&a, NULL, poster, (void *)0);
	pthread_create(&b, NULL, poster, (void *)1);
	loop_run(post_loop);
	pthread_join(a, NULL);
	pthread_join(b, NULL);
	assert_int_equal(next_post[0], POSTS);
	assert_int_equal(next_post[1], POSTS);
	loop_post(post_loop, on_due, (void *)5);
	loop_free(&post_loop);
	assert_int_equal(fired[5], 1);
}

static unsigned readable, writable;
static struct watch *watched;
static int ends[2];

static void on_ready(void *context, unsigned ready)
{
	char byte;
	(void)context;
	if (ready & WATCH_READ) {
		readable++;
		if (readable == 3)
			assert_int_equal(read(ends[0], &byte, 1), 1);
	}
	if (ready & WATCH_WRITE && ++writable == 2)
		watch_want(watched, WATCH_READ);
}

static void watches_are_level_triggered(void **state)
{
	(void)state;
	begin();
	struct loop *loop = loop_new();
	assert_int_equal(pipe(ends), 0);
	watched = watch_open(loop, ends[0], on_ready, NULL);
	watch_want(watched, WATCH_READ);
	loop_turn(loop, 0);
	assert_int_equal(readable, 0);
	assert_int_equal(write(ends[1], "x", 1), 1);
	for (unsigned i = 0; i < 5; i++)
		loop_turn(loop, 0);
	assert_int_equal(readable, 3);
	watch_want(watched, 0);
	assert_int_equal(write(ends[1], "x", 1), 1);
	loop_turn(loop, 0);
	assert_int_equal(readable, 3);
	watch_want(watched, WATCH_READ);
	loop_turn(loop, 0);
	assert_int_equal(readable, 4);
	watch_close(&watched);
	assert_null(watched);
	watch_close(&watched);
	loop_turn(loop, 0);
	assert_int_equal(readable, 4);

	watched = watch_open(loop, ends[1], on_ready, NULL);
	watch_want(watched, WATCH_WRITE);
	for (unsigned i = 0; i < 6; i++)
		loop_turn(loop, 0);
	assert_int_equal(writable, 2);
	watch_want(watched, WATCH_WRITE);
	loop_turn(loop, 0);
	loop_turn(loop, 0);
	assert_true(writable > 2);
	watch_close(&watched);
	loop_free(&loop);
	close(ends[0]);
	close(ends[1]);
}

static void on_ready_at(void *context, unsigned ready)
{
	struct loop *loop = context;
	(void)ready;
	assert_int_equal(loop_now(loop).ms, clock_mono().ms);
	watch_want(watched, 0);
	readable++;
}

static void what_became_ready_knows_the_time(void **state)
{
	(void)state;
	begin();
	readable = 0;
	struct loop *loop = loop_new();
	assert_int_equal(pipe(ends), 0);
	watched = watch_open(loop, ends[0], on_ready_at, loop);
	watch_want(watched, WATCH_READ);
	loop_turn(loop, 0);
	assert_int_equal(write(ends[1], "x", 1), 1);
	usleep(2000);
	step(loop, 50);
	assert_int_equal(readable, 1);
	watch_close(&watched);
	loop_free(&loop);
	close(ends[0]);
	close(ends[1]);
}

static bool stops;

static void on_ready_to_stop(void *context, unsigned ready)
{
	(void)ready;
	if (!stops)
		return;
	watch_want(watched, 0);
	loop_stop(context);
}

/* It looks for what comes next, and meets its own end. The clock is the real one still. */
static void a_busy_loop_stops_at_once(void **state)
{
	enum { TURNS = 100, WAIT_MS = 10000 };
	unsigned mark = 0;
	(void)state;
	struct loop *loop = loop_new();
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(write(ends[1], "x", 1), 1);
	watched = watch_open(loop, ends[0], on_ready_to_stop, loop);
	watch_want(watched, WATCH_READ);
	for (unsigned i = 0; i <= TURNS; i++) {
		struct mono before = clock_mono();
		loop_count_packets(loop, &mark, 1);
		stops = i == TURNS;
		loop_turn(loop, WAIT_MS);
		assert_true(clock_mono().ms - before.ms < WAIT_MS / 2);
	}
	watch_close(&watched);
	loop_free(&loop);
	close(ends[0]);
	close(ends[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_busy_loop_stops_at_once),
		cmocka_unit_test(timers_fire_when_due_and_in_order),
		cmocka_unit_test(timers_are_exact_at_every_distance),
		cmocka_unit_test(timers_can_be_moved_and_canceled),
		cmocka_unit_test(a_timer_set_to_now_waits_for_the_next_turn),
		cmocka_unit_test(deferrals_run_once_at_the_end_of_the_turn),
		cmocka_unit_test(posts_arrive_in_order_from_each_thread),
		cmocka_unit_test(watches_are_level_triggered),
		cmocka_unit_test(what_became_ready_knows_the_time),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
