#include "purse.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "bytes.h"

enum { SHARDS = 2, BEGIN_MS = 1000 };

static struct purses *purses;

static int open_purses(void **state)
{
	(void)state;
	purses = purses_new();
	purses_set_shards(purses, SHARDS);
	return 0;
}

static int close_purses(void **state)
{
	(void)state;
	purses_free(&purses);
	return 0;
}

static struct mono at(int64_t ms)
{
	return (struct mono){ms};
}

/* One that has frames of a length to send, always or so often. */
struct sender {
	struct purse_share share;
	uint64_t frame, passed, worst_ms;
	int64_t every_ms, next_ms, since_ms;
};

static void join(struct sender *s, uint64_t tailnet, uint64_t frame, unsigned shard, struct rate own)
{
	*s = (struct sender){.frame = frame};
	purse_join(&s->share, purses, tailnet, own, shard, at(BEGIN_MS));
}

static void send_now(struct sender *s, int64_t ms)
{
	while (s->next_ms <= ms) {
		if (!s->since_ms)
			s->since_ms = ms;
		int64_t wait_ms = purse_take(&s->share, s->frame, at(ms));
		if (wait_ms) {
			s->next_ms = ms + wait_ms;
			return;
		}
		s->passed += s->frame;
		if ((uint64_t)(ms - s->since_ms) > s->worst_ms)
			s->worst_ms = (uint64_t)(ms - s->since_ms);
		s->since_ms = 0;
		if (s->every_ms)
			s->next_ms = ms + s->every_ms;
	}
}

static void run(struct sender *s, size_t count, int64_t from_ms, int64_t for_ms)
{
	for (int64_t ms = from_ms; ms < from_ms + for_ms; ms++)
		for (size_t i = 0; i < count; i++)
			send_now(&s[i], ms);
}

static void leave_all(struct sender *s, size_t count, int64_t ms)
{
	for (size_t i = 0; i < count; i++)
		purse_leave(&s[i].share, at(ms));
}

static void all_of_a_tailnet_share_its_bucket(void **state)
{
	struct sender s[3];
	(void)state;
	purses_told(purses, (struct rate){1000000, 200000}, at(BEGIN_MS));
	join(&s[0], 7, 1400, 0, (struct rate){0});
	join(&s[1], 7, 1400, 1, (struct rate){0});
	join(&s[2], 8, 1400, 1, (struct rate){0});
	s[2].every_ms = 2; /* 700 kB/s, less than its tailnet may */
	run(s, 3, BEGIN_MS, 10000);
	uint64_t both = s[0].passed + s[1].passed;
	assert_in_range(both, 10000000, 10250000 + 2 * 65568);
	assert_in_range(s[0].passed, both / 2 - 40000 - 100000, both / 2 + 40000 + 100000);
	assert_int_equal(s[2].worst_ms, 0);
	assert_int_equal(s[2].passed, 5000 * 1400);
	leave_all(s, 3, 20000);
}

/* After the burst, whatever the length of frames. */
static void shares_are_even(void **state)
{
	static const uint64_t rates[] = {20000, 1000000, 40000000};
	static const uint64_t frames[] = {65568, 1400, 100, 9000};
	(void)state;
	for (size_t r = 0; r < COUNT_OF(rates); r++) {
		struct sender s[5];
		uint64_t before[4], all = 0, even;
		purses_told(purses, (struct rate){rates[r], 1}, at(BEGIN_MS));
		for (size_t i = 0; i < 4; i++)
			join(&s[i], 9, frames[i], i % SHARDS, (struct rate){0});
		join(&s[4], 9, 100, 0, (struct rate){0});
		s[4].every_ms = 500;
		run(s, 5, BEGIN_MS, 20000);
		for (size_t i = 0; i < 4; i++)
			before[i] = s[i].passed;
		run(s, 5, BEGIN_MS + 20000, 60000);
		for (size_t i = 0; i < 4; i++)
			all += s[i].passed - before[i];
		even = (rates[r] * 60 - 120 * 100) / 4;
		assert_in_range(all, even * 4 - 4 * 65568 - rates[r] / 50, even * 4 + 4 * 65568 + rates[r] / 50);
		for (size_t i = 0; i < 4; i++)
			assert_in_range(s[i].passed - before[i], even * 9 / 10 - 65568, even * 11 / 10 + 65568);
		/* The one that sends little waits for a portion of each other one at most, and a tick. */
		uint64_t portion = rates[r] / 50 < 2048 ? 2048 : rates[r] / 50 > 262144 ? 262144 : rates[r] / 50;
		assert_in_range(s[4].worst_ms, 0, 5 * portion * 1000 / rates[r] + 10);
		leave_all(s, 5, BEGIN_MS + 80000);
	}
}

/* However often somebody asks and goes, the others wait for a portion of each that is there. */
static void turns_of_those_that_left_are_free(void **state)
{
	enum { VISITORS = 500 };
	static struct purse_share visitors[VISITORS];
	struct sender s;
	(void)state;
	purses_told(purses, (struct rate){1000000, 1}, at(BEGIN_MS));
	join(&s, 7, 1400, 0, (struct rate){0});
	run(&s, 1, BEGIN_MS, 1000);
	for (unsigned i = 0; i < VISITORS; i++) {
		purse_join(&visitors[i], purses, 7, (struct rate){0}, 1, at(BEGIN_MS + 1000));
		assert_true(purse_take(&visitors[i], 65000, at(BEGIN_MS + 1000)) > 0);
		purse_leave(&visitors[i], at(BEGIN_MS + 1000));
	}
	uint64_t before = s.passed;
	run(&s, 1, BEGIN_MS + 1000, 1000);
	assert_in_range(s.passed - before, 900000, 1100000);
	/* They asked before it did, and go while it waits. */
	for (unsigned i = 0; i < VISITORS; i++) {
		purse_join(&visitors[i], purses, 7, (struct rate){0}, 1, at(BEGIN_MS + 2000));
		assert_true(purse_take(&visitors[i], 65000, at(BEGIN_MS + 2000)) > 0);
	}
	while (!purse_take(&s.share, s.frame, at(BEGIN_MS + 2001)))
		;
	for (unsigned i = 0; i < VISITORS; i++)
		purse_leave(&visitors[i], at(BEGIN_MS + 2002));
	assert_in_range(purse_take(&s.share, s.frame, at(BEGIN_MS + 2003)), 0, 60);
	leave_all(&s, 1, BEGIN_MS + 2003);
}

static void the_own_rate_counts_and_changes_wake(void **state)
{
	struct sender s[2];
	(void)state;
	purses_told(purses, (struct rate){500, 1}, at(BEGIN_MS));
	join(&s[0], 5, 65568, 0, (struct rate){0});
	join(&s[1], 5, 65568, 0, (struct rate){0});
	assert_int_equal(purse_rate(&s[0].share).per_second, 500);
	assert_int_equal(purse_rate(&s[0].share).burst, RATES_COST_MAX);
	run(s, 2, BEGIN_MS, 5000);
	assert_int_equal(s[0].passed + s[1].passed, 65568); /* the burst */
	unsigned changes = purse_changes(&s[0].share);
	/* The operator's word, by way of an answer about one of them. */
	purse_join(&s[1].share, purses, 5, (struct rate){1000000, 65568}, 0, at(BEGIN_MS + 5000));
	assert_int_not_equal(purse_changes(&s[0].share), changes);
	assert_int_equal(purse_rate(&s[0].share).per_second, 1000000);
	run(s, 2, BEGIN_MS + 5000, 3000);
	assert_in_range(s[0].passed + s[1].passed, 65568 + 2000000, 65568 + 3000000 + 3 * 65568);
	/* That of the region is not theirs meanwhile; then it is again, and it is none. */
	purses_told(purses, (struct rate){0, 0}, at(BEGIN_MS));
	assert_int_equal(purse_rate(&s[0].share).per_second, 1000000);
	purse_join(&s[1].share, purses, 5, (struct rate){0}, 0, at(BEGIN_MS + 8000));
	assert_int_equal(purse_rate(&s[0].share).per_second, 0);
	assert_int_equal(purse_take(&s[0].share, 65568, at(BEGIN_MS + 8000)), 0);
	/* Of another tailnet, and of none. */
	purse_join(&s[1].share, purses, 6, (struct rate){9, 9}, 0, at(BEGIN_MS + 8000));
	assert_int_equal(purse_rate(&s[1].share).per_second, 9);
	purse_join(&s[1].share, purses, 0, (struct rate){9, 9}, 0, at(BEGIN_MS + 8000));
	assert_null(s[1].share.purse);
	assert_int_equal(purse_take(&s[1].share, 65568, at(BEGIN_MS + 8000)), 0);
	leave_all(s, 2, BEGIN_MS + 8000);
}

/* Bytes that pass at once. */
static uint64_t drain(struct sender *s, int64_t ms)
{
	uint64_t before = s->passed;
	while (!purse_take(&s->share, s->frame, at(ms)))
		s->passed += s->frame;
	return s->passed - before;
}

static void a_change_keeps_what_is_left(void **state)
{
	struct sender s;
	(void)state;
	purses_told(purses, (struct rate){1000000, 200000}, at(BEGIN_MS));
	join(&s, 5, 1000, 0, (struct rate){0});
	assert_in_range(drain(&s, BEGIN_MS), 199000, 201000);
	/* However often, by either way: less than a tick ahead counts as now. */
	for (unsigned i = 1; i <= 100; i++) {
		purses_told(purses, (struct rate){1000000 + i, 200000}, at(BEGIN_MS));
		assert_in_range(drain(&s, BEGIN_MS), 0, 1000);
		purse_join(&s.share, purses, 5, (struct rate){2000000 + i, 300000 + i}, 0, at(BEGIN_MS));
		assert_in_range(drain(&s, BEGIN_MS), 0, 2000);
		purse_join(&s.share, purses, 5, (struct rate){0}, 0, at(BEGIN_MS));
	}
	/* 100 ms at 1 MB/s are bytes, whatever the rate is then. */
	purse_join(&s.share, purses, 5, (struct rate){1000000, 200000}, 0, at(BEGIN_MS));
	purse_join(&s.share, purses, 5, (struct rate){50000, 400000}, 0, at(BEGIN_MS + 100));
	assert_in_range(drain(&s, BEGIN_MS + 100), 98000, 102000);
	/* At most the new burst; and it grows no further than that. */
	purse_join(&s.share, purses, 5, (struct rate){1000000, 400000}, 0, at(BEGIN_MS + 100));
	purse_join(&s.share, purses, 5, (struct rate){1000000, 100000}, 0, at(BEGIN_MS + 500));
	assert_in_range(drain(&s, BEGIN_MS + 500), 99000, 101000);
	purse_join(&s.share, purses, 5, (struct rate){1000000, 70000}, 0, at(BEGIN_MS + 10000));
	purse_join(&s.share, purses, 5, (struct rate){1000000, 400000}, 0, at(BEGIN_MS + 10000));
	assert_in_range(drain(&s, BEGIN_MS + 10000), 69000, 71000);
	/* After a time without a limit it is full. */
	purse_join(&s.share, purses, 5, (struct rate){0}, 0, at(BEGIN_MS + 10000));
	purses_told(purses, (struct rate){0, 0}, at(BEGIN_MS + 10000));
	assert_int_equal(purse_take(&s.share, s.frame, at(BEGIN_MS + 10000)), 0);
	purses_told(purses, (struct rate){1000000, 200000}, at(BEGIN_MS + 10000));
	assert_in_range(drain(&s, BEGIN_MS + 10000), 199000, 201000);
	leave_all(&s, 1, BEGIN_MS + 10000);
}

/* Under load, over and over: no more than rate and burst, and what waits goes on. */
static void changes_neither_give_nor_take(void **state)
{
	enum { CHANGES = 100, EVERY_MS = 100 };
	struct sender s[3];
	(void)state;
	purses_told(purses, (struct rate){1000000, 200000}, at(BEGIN_MS));
	for (unsigned i = 0; i < 3; i++)
		join(&s[i], 5, 1400, i % SHARDS, (struct rate){0});
	for (unsigned i = 0; i < CHANGES; i++) {
		purses_told(purses, (struct rate){1000000 + i % 2, 200000}, at(BEGIN_MS + i * EVERY_MS));
		for (unsigned k = 0; k < 3; k++)
			s[k].next_ms = 0; /* as they are woken */
		run(s, 3, BEGIN_MS + i * EVERY_MS, EVERY_MS);
	}
	uint64_t all = s[0].passed + s[1].passed + s[2].passed;
	/* Of each change a portion of each may be lost that was paid for and not yet taken: 20 ms of the rate at most. */
	assert_in_range(all, 200000 + 10000000 - 3 * CHANGES * 20000, 250000 + 10000000 + 2 * 65568);
	leave_all(s, 3, 20000);
}

static void empty_tailnets_are_forgotten_when_full(void **state)
{
	struct sender s, other;
	(void)state;
	purses_told(purses, (struct rate){65568, 65568}, at(BEGIN_MS));
	join(&s, 1, 65568, 0, (struct rate){0});
	assert_int_equal(purse_take(&s.share, 65568, at(BEGIN_MS)), 0);
	purse_leave(&s.share, at(BEGIN_MS));
	purse_leave(&s.share, at(BEGIN_MS));
	assert_int_equal(purses_count(purses), 1);
	/* Coming again does not fill it. */
	join(&s, 1, 65568, 0, (struct rate){0});
	assert_true(purse_take(&s.share, 65568, at(BEGIN_MS + 1)) > 0);
	purse_leave(&s.share, at(BEGIN_MS + 2));
	join(&other, 2, 1, 0, (struct rate){0});
	assert_int_equal(purses_count(purses), 2);
	purse_join(&other.share, purses, 2, (struct rate){0}, 0, at(BEGIN_MS + 10000));
	assert_int_equal(purses_count(purses), 1);
	purse_leave(&other.share, at(BEGIN_MS + 10000));
}

struct thread {
	pthread_t id;
	unsigned shard;
	uint64_t passed;
	struct mono begun, ended;
};

static void *spend(void *context)
{
	struct thread *t = context;
	struct purse_share share = {0};
	purse_join(&share, purses, 3, (struct rate){0}, t->shard, clock_mono());
	for (struct mono now = t->begun; now.ms < t->ended.ms; now = clock_mono())
		for (unsigned i = 0; i < 100; i++)
			if (!purse_take(&share, 1400, now))
				t->passed += 1400;
	purse_leave(&share, clock_mono());
	return NULL;
}

static void threads_spend_no_more_than_there_is(void **state)
{
	struct thread t[SHARDS];
	(void)state;
	purses_told(purses, (struct rate){10000000, 1000000}, clock_mono());
	struct mono now = clock_mono(), end = {now.ms + 300};
	for (unsigned i = 0; i < SHARDS; i++) {
		t[i] = (struct thread){.shard = i, .begun = now, .ended = end};
		assert_int_equal(pthread_create(&t[i].id, NULL, spend, &t[i]), 0);
	}
	uint64_t passed = 0;
	for (unsigned i = 0; i < SHARDS; i++) {
		pthread_join(t[i].id, NULL);
		passed += t[i].passed;
	}
	/* Burst, rate, slices, and what is a tick ahead. */
	assert_in_range(passed, 1000000, 1250000 + 3000000 + 100000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(all_of_a_tailnet_share_its_bucket, open_purses, close_purses),
		cmocka_unit_test_setup_teardown(shares_are_even, open_purses, close_purses),
		cmocka_unit_test_setup_teardown(the_own_rate_counts_and_changes_wake, open_purses, close_purses),
		cmocka_unit_test_setup_teardown(a_change_keeps_what_is_left, open_purses, close_purses),
		cmocka_unit_test_setup_teardown(changes_neither_give_nor_take, open_purses, close_purses),
		cmocka_unit_test_setup_teardown(turns_of_those_that_left_are_free, open_purses, close_purses),
		cmocka_unit_test_setup_teardown(empty_tailnets_are_forgotten_when_full, open_purses, close_purses),
		cmocka_unit_test_setup_teardown(threads_spend_no_more_than_there_is, open_purses, close_purses),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
