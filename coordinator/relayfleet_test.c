/* When a missing lease says that a relay is silent. Redis and the database are the test; time stands still but for what it lets pass. */
#include "relayfleet.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "act.h"
#include "duty.h"
#include "lease.h"
#include "relays.h"

static struct loop *loop;
static struct coordinator c;
static struct coordinator_options options;

/* ---- Redis ---- */

static enum err redis;
static size_t leases;

void lease_take(struct bus *bus, const struct lease_kind *kind, struct bytes name, struct bytes value, struct bytes message, bus_reply_fn on_reply,
		void *context)
{
	(void)bus, (void)kind, (void)name, (void)value, (void)message, (void)on_reply, (void)context;
}

void lease_list(struct bus *bus, const struct lease_kind *kind, bus_reply_fn on_reply, void *context)
{
	(void)bus, (void)kind;
	on_reply(context, redis, NULL);
}

size_t lease_count(const struct redisReply *reply)
{
	(void)reply;
	return leases;
}

bool lease_at(const struct redisReply *reply, size_t i, struct bytes *name, struct bytes *value)
{
	(void)reply;
	*name = i ? BYTES("8") : BYTES("7");
	*value = BYTES("3");
	return true;
}

/* ---- the database ---- */

static enum err database;
static bool hangs;
static struct arena *arena;
static tx_fn on_done;
static void *done_context;
static unsigned steps;
static size_t heard_count;
static bool was_certain;

struct tx *tx_begin(struct pg *pg, uint64_t tailnet, enum tx_mode mode)
{
	(void)pg, (void)tailnet, (void)mode;
	arena = arena_new();
	return (struct tx *)&arena;
}

struct arena *tx_arena(struct tx *tx)
{
	(void)tx;
	return arena;
}

uint64_t tx_generation(const struct tx *tx)
{
	(void)tx;
	return 0;
}

void duty_take(struct tx *tx, enum duty duty)
{
	(void)tx;
	assert_int_equal(duty, DUTY_RELAYS);
}

unsigned relays_step(struct tx *tx, const uint64_t *heard, const uint64_t *homes, size_t count, bool certain, const struct relays_patience *patience)
{
	(void)tx, (void)heard, (void)homes, (void)patience;
	steps++;
	heard_count = count;
	was_certain = certain;
	return 0;
}

static void answer(void)
{
	struct diag why = {.text = "away"};
	tx_fn fn = on_done;
	on_done = NULL;
	arena_free(&arena);
	fn(done_context, database, NULL, &why);
}

void act_commit(struct coordinator *of, struct tx *tx, tx_fn fn, void *context)
{
	(void)tx;
	assert_ptr_equal(of, &c);
	on_done = fn;
	done_context = context;
	if (!hangs)
		answer();
}

/* ---- time ---- */

static void pass(int64_t ms)
{
	for (int64_t gone = 0; gone < ms; gone += 500) {
		clock_step_by_hand(500);
		loop_turn(loop, 0);
		loop_turn(loop, 0);
	}
}

static int open(void **state)
{
	(void)state;
	clock_set_by_hand((struct mono){1000000}, (struct wall){0});
	loop = loop_new();
	options = (struct coordinator_options){.sweep_ms = 1000};
	c = (struct coordinator){.loop = loop, .options = &options};
	redis = database = ERR_NONE;
	hangs = false;
	leases = 2;
	c.relayfleet = relayfleet_new(&c);
	return 0;
}

static int shut(void **state)
{
	(void)state;
	relayfleet_free(&c.relayfleet);
	if (on_done)
		answer();
	loop_free(&loop);
	return 0;
}

static void a_lease_must_have_had_its_time(void **state)
{
	(void)state;
	pass(10000);
	assert_true(steps > 5);
	assert_int_equal(heard_count, 2);
	assert_false(was_certain);
	pass(10000);
	assert_true(was_certain);
	/* Redis goes and comes back empty. */
	redis = ERR_UNAVAILABLE;
	pass(5000);
	assert_false(was_certain);
	redis = ERR_NONE;
	leases = 0;
	pass(10000);
	assert_false(was_certain);
	pass(10000);
	assert_true(was_certain);
	assert_int_equal(heard_count, 0);
}

/* While the database is away nobody can announce himself, so that all leases end though all relays live. */
static void without_a_database_nobody_is_silent(void **state)
{
	(void)state;
	pass(30000);
	assert_true(was_certain);
	database = ERR_UNAVAILABLE;
	leases = 0;
	pass(300000);
	database = ERR_NONE;
	pass(10000);
	assert_false(was_certain);
	pass(10000);
	assert_true(was_certain);
	/* It hangs, and answers in the end. */
	hangs = true;
	pass(60000);
	hangs = false;
	answer();
	pass(10000);
	assert_false(was_certain);
	pass(10000);
	assert_true(was_certain);
	/* Another process does the duty: that is no outage. */
	database = ERR_AGAIN;
	pass(5000);
	assert_true(was_certain);
}

/* Of more leases than are read nobody is said to be silent. */
static void too_many_leases_are_not_certain(void **state)
{
	(void)state;
	leases = 4096;
	pass(30000);
	assert_true(was_certain);
	leases = 4097;
	pass(30000);
	assert_false(was_certain);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_lease_must_have_had_its_time, open, shut),
		cmocka_unit_test_setup_teardown(too_many_leases_are_not_certain, open, shut),
		cmocka_unit_test_setup_teardown(without_a_database_nobody_is_silent, open, shut),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
