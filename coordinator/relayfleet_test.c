/* Redis and PostgreSQL are the test: leases are a list of words, a transaction is what was asked of it. Time stands still but for what the test lets pass. */
#include "relayfleet.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "act.h"
#include "duty.h"
#include "lease.h"
#include "log.h"
#include "relays.h"
#include "tailnet.h"

enum { LOOK_MS = 1000, CERTAIN_MS = RELAYFLEET_LEASE_SECONDS * 1000 };

/* ---- Redis ---- */

struct word {
	const char *name, *value;
};
static const struct word *words;
static size_t word_count;
static bus_reply_fn listing;
static void *listing_context;
static unsigned listed, takes;
static char taken_name[32], taken_value[32], taken_message[32];
static int64_t taken_ms;

void lease_take(struct bus *bus, const struct lease_kind *kind, struct bytes name, struct bytes value, struct bytes message, bus_reply_fn on_reply,
		void *context)
{
	(void)bus, (void)on_reply, (void)context;
	assert_true(lease_name_is_good(name));
	snprintf(taken_name, sizeof taken_name, "%.*s", BYTES_ARG(name));
	snprintf(taken_value, sizeof taken_value, "%.*s", BYTES_ARG(value));
	snprintf(taken_message, sizeof taken_message, "%.*s", BYTES_ARG(message));
	taken_ms = kind->lease_ms;
	takes++;
}

void lease_list(struct bus *bus, const struct lease_kind *kind, bus_reply_fn on_reply, void *context)
{
	(void)bus, (void)kind;
	assert_null(listing); /* not again while one is on its way */
	listing = on_reply;
	listing_context = context;
	listed++;
}

size_t lease_count(const struct redisReply *reply)
{
	assert_ptr_equal(reply, &words);
	return word_count;
}

bool lease_at(const struct redisReply *reply, size_t i, struct bytes *name, struct bytes *value)
{
	(void)reply;
	*name = bytes_text(words[i].name);
	*value = bytes_text(words[i].value);
	return words[i].name && words[i].value;
}

bool lease_name_is_good(struct bytes name)
{
	return name.len >= 1 && name.len <= LEASE_NAME_MAX;
}

static void reply(enum err e, const struct word *list, size_t count)
{
	bus_reply_fn on_reply = listing;
	assert_non_null(on_reply);
	listing = NULL;
	words = list;
	word_count = count;
	on_reply(listing_context, e, e ? NULL : (void *)&words);
}

/* ---- PostgreSQL ---- */

struct tx {
	struct arena *arena;
	tx_fn on_done;
	void *context;
};

static struct tx *committing;
static unsigned steps, statements;
static bool step_certain;
static size_t step_count;
static uint64_t step_heard[8], step_homes[8];
static struct relays_patience step_patience;

struct tx *tx_begin(struct pg *pg, uint64_t tailnet, enum tx_mode mode)
{
	struct tx *tx = x_zalloc(sizeof *tx);
	(void)pg;
	assert_int_equal(tailnet, TAILNET_INSTALLATION);
	assert_int_equal(mode, TX_WRITE);
	tx->arena = arena_new();
	statements = 0;
	return tx;
}

struct arena *tx_arena(struct tx *tx)
{
	return tx->arena;
}

uint64_t tx_generation(const struct tx *tx)
{
	(void)tx;
	return 7;
}

void duty_take(struct tx *tx, enum duty duty)
{
	(void)tx;
	assert_int_equal(duty, DUTY_RELAYS);
	assert_int_equal(statements++, 0); /* the first statement */
}

unsigned relays_step(struct tx *tx, const uint64_t *heard, const uint64_t *homes, size_t count, bool certain, const struct relays_patience *patience)
{
	(void)tx;
	assert_int_equal(statements++, 1);
	step_certain = certain;
	step_count = count;
	for (size_t i = 0; i < count && i < COUNT_OF(step_heard); i++)
		step_heard[i] = heard[i], step_homes[i] = homes[i];
	step_patience = *patience;
	steps++;
	return 1;
}

void act_commit(struct coordinator *c, struct tx *tx, tx_fn on_done, void *context)
{
	(void)c;
	assert_null(committing);
	assert_int_equal(statements, 2);
	tx->on_done = on_done;
	tx->context = context;
	committing = tx;
}

static void commit(enum err e)
{
	struct tx *tx = committing;
	struct diag why = {.text = "so"};
	assert_non_null(tx);
	committing = NULL;
	tx->on_done(tx->context, e, tx, &why);
	arena_free(&tx->arena);
	free(tx);
}

/* ---- a coordinator ---- */

static struct loop *loop;
static struct coordinator coordinator;
static const struct coordinator_options options = {
	.sweep_ms = LOOK_MS, .relays_settle_ms = 1, .relays_patience_ms = 2, .relays_dead_ms = 3, .relays_steady_ms = 4};

static void pass(int64_t ms)
{
	for (; ms > 0; ms -= 100) {
		clock_step_by_hand(ms < 100 ? ms : 100);
		loop_turn(loop, 0);
	}
	loop_turn(loop, 0);
}

static int open(void **state)
{
	(void)state;
	clock_set_by_hand((struct mono){1000000}, (struct wall){0});
	loop = loop_new();
	coordinator = (struct coordinator){.loop = loop, .options = &options};
	listing = NULL;
	committing = NULL;
	listed = steps = takes = 0;
	coordinator.relayfleet = relayfleet_new(&coordinator);
	return 0;
}

static int shut(void **state)
{
	(void)state;
	relayfleet_free(&coordinator.relayfleet);
	assert_null(coordinator.relayfleet);
	relayfleet_free(&coordinator.relayfleet);
	if (listing)
		reply(ERR_CANCELED, NULL, 0);
	if (committing)
		commit(ERR_CANCELED);
	pass(10 * LOOK_MS);
	assert_null(listing);
	loop_free(&loop);
	return 0;
}

/* One look that ends well or not. */
static void look(enum err of_redis, const struct word *list, size_t count, enum err of_pg)
{
	unsigned before = steps;
	while (!listing)
		pass(100);
	reply(of_redis, list, count);
	assert_int_equal(steps, before + 1);
	commit(of_pg);
}

/* ---- leases ---- */

static void a_relay_that_is_heard_has_a_lease(void **state)
{
	(void)state;
	relayfleet_heard(&coordinator, 9223372036854775807, 17);
	assert_int_equal(takes, 1);
	assert_string_equal(taken_name, "9223372036854775807");
	assert_string_equal(taken_value, "17");
	assert_string_equal(taken_message, "9223372036854775807");
	assert_int_equal(taken_ms, CERTAIN_MS);
}

static struct {
	unsigned answers;
	enum err e;
	size_t count;
	struct relayfleet_lease lease[8];
} seen;

static void on_leases(void *context, enum err e, const struct relayfleet_lease *leases, size_t count)
{
	assert_ptr_equal(context, &seen);
	seen.answers++;
	seen.e = e;
	seen.count = count;
	for (size_t i = 0; i < count && i < COUNT_OF(seen.lease); i++)
		seen.lease[i] = leases[i];
}

/* What others wrote there is not believed. */
static void leases_are_read(void **state)
{
	static const struct word list[] = {{"5", "0"},   {"x", "1"},  {"6", "-1"}, {"", "1"},   {"7", "2147483647"},
					   {"8", ""},    {NULL, "1"}, {"9", NULL}, {"01", "1"}, {"9223372036854775808", "1"},
					   {"10", "1 "}, {"11", "3"}};
	(void)state;
	memset(&seen, 0, sizeof seen);
	relayfleet_leases(&coordinator, on_leases, &seen);
	assert_int_equal(seen.answers, 0);
	reply(ERR_NONE, list, COUNT_OF(list));
	assert_int_equal(seen.answers, 1);
	assert_int_equal(seen.e, ERR_NONE);
	assert_int_equal(seen.count, 3);
	assert_true(seen.lease[0].relay == 5 && seen.lease[0].homes == 0);
	assert_true(seen.lease[1].relay == 7 && seen.lease[1].homes == 2147483647);
	assert_true(seen.lease[2].relay == 11 && seen.lease[2].homes == 3);
	relayfleet_leases(&coordinator, on_leases, &seen);
	reply(ERR_UNAVAILABLE, NULL, 0);
	assert_int_equal(seen.answers, 2);
	assert_int_equal(seen.e, ERR_UNAVAILABLE);
	assert_int_equal(seen.count, 0);
}

static void a_flood_of_leases_is_cut(void **state)
{
	enum { FLOOD = 5000 };
	static struct word list[FLOOD];
	(void)state;
	for (size_t i = 0; i < FLOOD; i++)
		list[i] = (struct word){"5", "1"};
	memset(&seen, 0, sizeof seen);
	relayfleet_leases(&coordinator, on_leases, &seen);
	reply(ERR_NONE, list, FLOOD);
	assert_in_range(seen.count, 1000, FLOOD - 1);
}

/* ---- the duty ---- */

static void the_map_moves_by_leases(void **state)
{
	static const struct word list[] = {{"5", "3"}, {"x", "1"}, {"7", "0"}};
	(void)state;
	look(ERR_NONE, list, COUNT_OF(list), ERR_NONE);
	assert_int_equal(step_count, 2);
	assert_int_equal(step_heard[0], 5);
	assert_int_equal(step_homes[0], 3);
	assert_int_equal(step_heard[1], 7);
	assert_int_equal(step_homes[1], 0);
	assert_int_equal(step_patience.settle_ms, 1);
	assert_int_equal(step_patience.patience_ms, 2);
	assert_int_equal(step_patience.dead_ms, 3);
	assert_int_equal(step_patience.steady_ms, 4);
	/* One a look, and none while one is under way. */
	pass(LOOK_MS);
	assert_int_equal(listed, 2);
	pass(10 * LOOK_MS);
	assert_int_equal(listed, 2);
	reply(ERR_NONE, list, 1);
	pass(10 * LOOK_MS);
	assert_int_equal(listed, 2);
	commit(ERR_NONE);
	pass(LOOK_MS);
	assert_int_equal(listed, 3);
}

/* Silence counts only when every relay has had the time to take its lease anew since leases can be read. */
static void nobody_is_silent_too_early(void **state)
{
	static const struct word list[] = {{"5", "3"}};
	(void)state;
	for (unsigned round = 0; round < 2; round++) {
		int64_t since = 0;
		do {
			look(ERR_NONE, list, 1, ERR_NONE);
			if (!since)
				since = loop_now(loop).ms;
			assert_int_equal(step_certain, loop_now(loop).ms - since >= CERTAIN_MS);
		} while (loop_now(loop).ms - since < 2 * CERTAIN_MS);
		assert_true(step_certain);
		look(ERR_UNAVAILABLE, NULL, 0, ERR_NONE);
		assert_false(step_certain);
		assert_int_equal(step_count, 0);
	}
}

/* The n-th of each is bad, for every n: the next look is like any other. */
static void failures_change_nothing(void **state)
{
	static const struct word list[] = {{"5", "3"}};
	static const enum err of_pg[] = {ERR_AGAIN, ERR_UNAVAILABLE, ERR_TIMEOUT, ERR_NONE};
	(void)state;
	for (unsigned i = 0; i < 40; i++)
		look(ERR_NONE, list, 1, of_pg[i % COUNT_OF(of_pg)]);
	assert_true(step_certain);
	assert_int_equal(step_count, 1);
}

/* ---- the end ---- */

static void it_ends_at_any_time(void **state)
{
	static const struct word list[] = {{"5", "3"}};
	for (unsigned when = 0; when < 4; when++) {
		if (when)
			pass(LOOK_MS);
		if (when > 2)
			reply(ERR_NONE, list, 1);
		relayfleet_free(&coordinator.relayfleet);
		if (when == 1)
			reply(ERR_NONE, list, 1); /* too late: nothing is done */
		assert_int_equal(steps, when > 2);
		shut(state);
		open(state);
	}
}

#define IN_ORDER(test) cmocka_unit_test_setup_teardown(test, open, shut)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_ORDER(a_relay_that_is_heard_has_a_lease),
		IN_ORDER(leases_are_read),
		IN_ORDER(a_flood_of_leases_is_cut),
		IN_ORDER(the_map_moves_by_leases),
		IN_ORDER(nobody_is_silent_too_early),
		IN_ORDER(failures_change_nothing),
		IN_ORDER(it_ends_at_any_time),
	};

	log_setup("relayfleet_test", LOG_ERROR + 1, LOG_TEXT);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
