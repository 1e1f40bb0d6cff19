/* Three shards on one loop; their clients and doors are counters, the coordinator is the test. Time stands still but for what the test lets pass. */
#include "relaylife.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "announce.h"
#include "handshake.h"
#include "log.h"
#include "shard.h"
#include "siblings.h"

enum { SHARDS = 3, DRAIN_MS = 10000 };

#define ALONE "\"Shown\":true,\"SiblingsServe\":false,\"OthersServe\":true"
#define BESIDE "\"Shown\":true,\"SiblingsServe\":true,\"OthersServe\":true"
#define LAST "\"Shown\":true,\"SiblingsServe\":false,\"OthersServe\":false"
#define KEY(d) "\"" d d d d d d d d d d d d d d d d d d d d d d d d d d d d d d d d "\""

/* ---- neighbours ---- */

static struct loop *loop;
static struct relay relay;
static struct relay_options options;
static struct shard shards[SHARDS];

/* What was done on each shard. */
static struct done {
	unsigned shuts, listens, welcomes, parts, handshakes_ended, drained, ended, follows, siblings;
	unsigned rechecked, all, checks, unsure;
	bool open, listen_fails;
	char keys[8];
} done[SHARDS];

static bool current;
static unsigned hurries;

unsigned relay_home(const struct relay *r, const struct node_key *key)
{
	assert_ptr_equal(r, &relay);
	return key->raw[0] % SHARDS;
}

void shard_shut(struct shard *s)
{
	done[s->index].shuts++;
	done[s->index].open = false;
}

enum err shard_listen(struct shard *s, struct diag *why)
{
	done[s->index].listens++;
	assert_false(done[s->index].open);
	done[s->index].open = true; /* some of them, when it fails */
	if (done[s->index].listen_fails)
		return diag_set(why, ERR_EXISTS, "taken");
	return ERR_NONE;
}

/* Beside the plain one, which is open. */
enum err shard_welcome(struct shard *s, struct diag *why)
{
	assert_true(done[s->index].open);
	done[s->index].welcomes++;
	return done[s->index].listen_fails ? diag_set(why, ERR_EXISTS, "taken") : ERR_NONE;
}

void handshake_end_all(struct shard *s)
{
	assert_false(done[s->index].open); /* or the next ones come at once */
	done[s->index].handshakes_ended++;
}

void client_part_all(struct shard *s, int64_t spread_ms)
{
	assert_false(done[s->index].open);
	assert_in_range(spread_ms, 1, 2000);
	done[s->index].parts++;
}

static void clients(unsigned shard, unsigned count)
{
	while (table_count(shards[shard].clients) < count)
		table_put_number(shards[shard].clients, table_count(shards[shard].clients) + 1, &done);
	while (table_count(shards[shard].clients) > count)
		table_remove_number(shards[shard].clients, table_count(shards[shard].clients));
}

void client_end_all(struct shard *s)
{
	done[s->index].ended += (unsigned)table_count(s->clients);
	clients(s->index, 0);
}

void recheck_key(struct shard *s, const struct node_key *key)
{
	done[s->index].keys[done[s->index].rechecked++] = (char)('0' + key->raw[0] % 16);
}

void recheck_all(struct shard *s)
{
	done[s->index].all++;
}

void recheck_unsure(struct shard *s)
{
	done[s->index].unsure++;
}

void client_check_siblings(struct shard *s)
{
	done[s->index].checks++;
}

void siblings_follow(struct shard *s, const struct told *told)
{
	done[s->index].follows++;
	done[s->index].siblings = (unsigned)told->sibling_count;
	assert_ptr_equal(s->life.told, told);
}

void announce_hurry(struct announce *a)
{
	assert_ptr_equal(a, &hurries);
	hurries++;
	current = false;
}

bool announce_is_current(const struct announce *a)
{
	assert_ptr_equal(a, &hurries);
	return current;
}

void daemon_drained(struct worker *w)
{
	for (unsigned i = 0; i < SHARDS; i++)
		if ((void *)w == &done[i])
			done[i].drained++;
}

/* ---- time and words ---- */

static void pass(int64_t ms)
{
	for (int64_t gone = 0; gone < ms; gone += 50) {
		clock_step_by_hand(ms - gone < 50 ? ms - gone : 50);
		loop_turn(loop, 0);
	}
	loop_turn(loop, 0);
	loop_turn(loop, 0);
}

static void hear(const char *text)
{
	json_t *answer = json_loads(text, 0, NULL);
	assert_non_null(answer);
	atomic_store(&relay.announced, true);
	relaylife_heard(&shards[0], answer);
	json_decref(answer);
	pass(0);
}

static void end_all(void)
{
	for (unsigned i = SHARDS; i--;)
		relaylife_end(&shards[i]);
	pass(0);
}

static bool all_open(void)
{
	unsigned open = 0;
	for (unsigned i = 0; i < SHARDS; i++) {
		open += done[i].open;
		assert_int_equal(relaylife_is_leaving(&shards[i]), !done[i].open);
	}
	assert_true(open == 0 || open == SHARDS);
	assert_int_equal(atomic_load(&relay.shut), SHARDS - open);
	return open;
}

static unsigned drained(void)
{
	unsigned count = 0;
	for (unsigned i = 0; i < SHARDS; i++) {
		assert_true(done[i].drained <= 1);
		count += done[i].drained;
	}
	return count;
}

static int open(void **state)
{
	(void)state;
	clock_set_by_hand((struct mono){1000000}, (struct wall){0});
	loop = loop_new();
	options = (struct relay_options){.daemon = {.drain_ms = DRAIN_MS}};
	relay = (struct relay){.options = &options, .count = SHARDS, .purses = purses_new()};
	purses_set_shards(relay.purses, SHARDS);
	memset(done, 0, sizeof done);
	hurries = 0;
	current = true;
	for (unsigned i = 0; i < SHARDS; i++) {
		done[i].open = true;
		shards[i] = (struct shard){.relay = &relay, .loop = loop, .index = i, .worker = (void *)&done[i], .clients = table_new()};
		relay.shard[i] = &shards[i];
		relaylife_open(&shards[i]);
	}
	shards[0].announce = (void *)&hurries;
	return 0;
}

static int shut(void **state)
{
	(void)state;
	for (unsigned i = 0; i < SHARDS; i++) {
		shards[i].closing = true;
		relaylife_close(&shards[i]);
		assert_null(shards[i].life.told);
	}
	loop_free(&loop); /* with what was posted late */
	purses_free(&relay.purses);
	for (unsigned i = 0; i < SHARDS; i++)
		table_free(&shards[i].clients);
	return 0;
}

/* ---- what was told ---- */

/* What a tailnet without a rate of its own may send. */
static struct rate of_tailnet(void)
{
	struct purse_share share = {0};
	struct rate rate;
	purse_join(&share, relay.purses, 5, (struct rate){0}, 0, loop_now(loop));
	rate = purse_rate(&share);
	purse_leave(&share, loop_now(loop));
	return rate;
}

static void every_shard_hears_it(void **state)
{
	(void)state;
	hear("{" BESIDE
	     ",\"Siblings\":[{\"Name\":\"b\",\"HostName\":\"h\"}],\"ClientBytesPerSecond\":7000,\"ClientBurstBytes\":70000,\"TailnetBytesPerSecond\":8000000,"
	     "\"TailnetBurstBytes\":9000000,\"RechecksFrom\":12,"
	     "\"Rechecks\":[" KEY("00") "," KEY("01") "," KEY("02") "," KEY("04") "]}");
	for (unsigned i = 0; i < SHARDS; i++) {
		assert_int_equal(done[i].follows, 1);
		assert_int_equal(done[i].siblings, 1);
		assert_int_equal(done[i].checks, 1);
		assert_int_equal(done[i].unsure, 1);
		assert_ptr_equal(shards[i].life.told, shards[0].life.told);
		assert_int_equal(done[i].all, 0);
	}
	/* Keys on their own shards alone, in order. */
	assert_string_equal(done[0].keys, "0");
	assert_string_equal(done[1].keys, "14");
	assert_string_equal(done[2].keys, "2");
	assert_int_equal(rates_now(&relay.rates).per_second, 7000);
	assert_int_equal(rates_now(&relay.rates).burst, 70000);
	assert_int_equal(of_tailnet().per_second, 8000000);
	assert_int_equal(of_tailnet().burst, 9000000);
	/* And says in its next one up to where it has heard. */
	assert_int_equal(relay.said.rechecks_from, 12);
	hear("{" BESIDE ",\"RechecksFrom\":13}");
	for (unsigned i = 0; i < SHARDS; i++) {
		assert_int_equal(done[i].siblings, 0);
		assert_int_equal(strlen(done[i].keys), 1 + (i == 1));
	}
	assert_int_equal(relay.said.rechecks_from, 13);
	hear("{" BESIDE ",\"RecheckAll\":true}");
	for (unsigned i = 0; i < SHARDS; i++)
		assert_int_equal(done[i].all, 1);
	assert_int_equal(rates_now(&relay.rates).per_second, 0);
	assert_int_equal(of_tailnet().per_second, 0);
	assert_true(all_open());
}

/* Coordinators keep the keys for a while only: who was away longer asks about all. */
static void after_a_long_silence_all_are_asked_about(void **state)
{
	static const struct {
		int64_t away_ms;
		bool all;
	} cases[] = {{RECHECKS_KEPT_MS, false}, {RECHECKS_KEPT_MS + 1, true}, {5000, false}, {10 * (int64_t)RECHECKS_KEPT_MS, true}};
	(void)state;
	pass(2 * (int64_t)RECHECKS_KEPT_MS);
	hear("{" BESIDE "}"); /* the first one: nobody was admitted before */
	pass(1000);
	assert_int_equal(done[0].all, 0);
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		unsigned before = done[0].all;
		int64_t since = shards[0].life.heard.ms;
		pass(cases[i].away_ms - (loop_now(loop).ms - since));
		hear("{" BESIDE "}");
		pass(1000);
		for (unsigned k = 0; k < SHARDS; k++)
			assert_int_equal(done[k].all > before, cases[i].all);
	}
}

/* ---- the process ends ---- */

/* When doors close after the process was told to end. */
static void it_goes_when_nobody_is_kept_waiting(void **state)
{
	static const struct {
		const char *told; /* NULL: nothing ever */
		int homes;
		bool refused, waits;
	} cases[] = {
		{NULL, 5, false, false},
		{"{" BESIDE "}", 5, true, false},
		{"{" BESIDE "}", 5, false, false},
		{"{" ALONE "}", 0, false, false},
		{"{" ALONE "}", 5, false, true},
		{"{" LAST "}", 5, false, false},
		{"{" ALONE ",\"Stage\":1}", 5, false, true},
		{"{" ALONE ",\"Stage\":2}", 5, false, false},
		{"{\"Shown\":false,\"SiblingsServe\":false,\"OthersServe\":true}", 5, false, false},
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		open(state);
		bool asks = cases[i].told && !cases[i].refused;
		atomic_store(&relay.homes, cases[i].homes);
		if (cases[i].told)
			hear(cases[i].told);
		atomic_store(&relay.refused, cases[i].refused);
		end_all();
		assert_true(atomic_load(&relay.draining));
		assert_int_equal(hurries, asks);
		assert_int_equal(all_open(), asks);
		if (asks) {
			assert_true(relay.said.draining);
			/* What was said before it was known says nothing. */
			hear(cases[i].told);
			assert_true(all_open());
			assert_true(atomic_load(&relay.draining));
			current = true;
			hear(cases[i].told);
			assert_int_equal(all_open(), cases[i].waits);
		}
		if (cases[i].waits) {
			pass(DRAIN_MS / 2 - 500);
			assert_true(all_open());
			atomic_store(&relay.homes, 0);
			hear(cases[i].told);
			assert_false(all_open());
		}
		pass(100);
		assert_int_equal(drained(), SHARDS);
		shut(state);
	}
	open(state);
}

/* Nobody answers, or clients stay: it goes while there is still time to let them move. */
static void it_goes_before_time_is_up(void **state)
{
	static const int64_t limits[] = {DRAIN_MS, 60000, 9000, 9001, 2000, 100};
	for (size_t i = 0; i < COUNT_OF(limits); i++) {
		open(state);
		options.daemon.drain_ms = limits[i];
		atomic_store(&relay.homes, 5);
		hear("{" ALONE "}");
		end_all();
		assert_true(all_open());
		int64_t ms = 0;
		while (all_open() && ms <= limits[i]) {
			pass(10);
			ms += 10;
		}
		assert_true(ms < limits[i]);
		if (limits[i] > 9000)
			assert_in_range(limits[i] - ms, 4400, 5000);
		shut(state);
	}
	open(state);
}

static void a_refused_one_goes_at_once(void **state)
{
	(void)state;
	atomic_store(&relay.homes, 5);
	hear("{" ALONE "}");
	relaylife_refused(&shards[0]); /* it serves on: known keys stay */
	pass(1000);
	assert_true(all_open());
	end_all();
	assert_true(all_open());
	relaylife_refused(&shards[0]);
	pass(0);
	assert_false(all_open());
}

/* Each client moves in its own time, and those that take nothing are not waited for. */
static void clients_move_first(void **state)
{
	(void)state;
	for (unsigned i = 0; i < SHARDS; i++)
		clients(i, 2 * i);
	hear("{" BESIDE "}");
	end_all();
	current = true;
	hear("{" BESIDE "}");
	for (unsigned i = 0; i < SHARDS; i++) {
		assert_int_equal(done[i].shuts, 1);
		assert_int_equal(done[i].handshakes_ended, 1);
		assert_int_equal(done[i].parts, 1);
	}
	pass(100);
	assert_int_equal(drained(), 1);
	clients(1, 0);
	pass(100);
	assert_int_equal(drained(), 2);
	assert_int_equal(done[1].ended + done[2].ended, 0);
	pass(1500);
	assert_int_equal(done[2].ended, 0);
	pass(5000);
	assert_int_equal(done[2].ended, 4);
	assert_int_equal(drained(), SHARDS);
	/* Nothing is done twice. */
	end_all();
	hear("{" BESIDE "}");
	pass(10000);
	assert_int_equal(drained(), SHARDS);
	for (unsigned i = 0; i < SHARDS; i++) {
		assert_int_equal(done[i].parts, 1);
		assert_int_equal(done[i].listens, 0);
	}
}

/* ---- the wish ---- */

static void a_wish_lets_clients_go_and_come_back(void **state)
{
	(void)state;
	clients(1, 3);
	hear("{\"Drain\":true," BESIDE "}");
	assert_false(all_open());
	assert_true(atomic_load(&relay.draining));
	hear("{\"Drain\":true," BESIDE "}");
	pass(10000);
	for (unsigned i = 0; i < SHARDS; i++)
		assert_int_equal(done[i].parts, 1);
	assert_int_equal(done[1].ended, 3);
	assert_int_equal(drained(), 0); /* the process goes on */
	hear("{" BESIDE "}");
	assert_true(all_open());
	assert_false(atomic_load(&relay.draining));
	for (unsigned i = 0; i < SHARDS; i++) {
		assert_int_equal(done[i].listens, 1);
		assert_false(shards[i].closing);
	}
	/* Those that came back are let alone, and a second wish is like the first. */
	clients(1, 3);
	pass(10000);
	assert_int_equal(done[1].ended, 3);
	hear("{\"Drain\":true," BESIDE "}");
	pass(10000);
	assert_int_equal(done[1].ended, 6);
	assert_false(all_open());
}

/* Taken back before its time is up: those that stayed, or are there again, are not ended. */
static void a_wish_may_be_short(void **state)
{
	(void)state;
	clients(1, 3);
	hear("{\"Drain\":true," BESIDE "}");
	pass(500);
	hear("{" BESIDE "}");
	assert_true(all_open());
	pass(60000);
	assert_int_equal(done[1].ended, 0);
	assert_true(all_open());
}

static void a_wish_waits_for_those_at_home(void **state)
{
	(void)state;
	atomic_store(&relay.homes, 2);
	hear("{\"Drain\":true," ALONE "}");
	assert_true(all_open());
	assert_true(atomic_load(&relay.draining));
	pass(600000);
	assert_true(all_open());
	hear("{\"Drain\":true," ALONE ",\"Stage\":1}");
	assert_true(all_open());
	hear("{\"Drain\":true," ALONE ",\"Stage\":2}");
	assert_false(all_open());
	hear("{" ALONE "}");
	assert_true(all_open());
	/* The last one of all serves on. */
	hear("{\"Drain\":true," LAST "}");
	pass(10000);
	assert_true(all_open());
	assert_false(atomic_load(&relay.draining));
}

/* Its token ends while it drains: it waits for those at home there, and for no word. */
static void a_wish_outlives_the_token(void **state)
{
	(void)state;
	atomic_store(&relay.homes, 2);
	hear("{\"Drain\":true," ALONE ",\"Stage\":1}");
	relaylife_refused(&shards[0]);
	pass(10000);
	assert_true(all_open());
	atomic_store(&relay.homes, 0);
	relaylife_refused(&shards[0]);
	pass(0);
	assert_false(all_open());
	assert_int_equal(drained(), 0);
}

/* A process that ends beside a wish does so whether the wish stands or is taken back, and whoever still moves has its time. */
static void it_ends_while_it_drains(void **state)
{
	for (unsigned back = 0; back < 2; back++) {
		open(state);
		clients(2, 1);
		hear("{\"Drain\":true," BESIDE "}");
		pass(500);
		end_all();
		pass(100);
		assert_int_equal(drained(), SHARDS - 1);
		assert_int_equal(done[2].ended, 0);
		if (back)
			hear("{" BESIDE "}");
		assert_false(all_open());
		assert_true(atomic_load(&relay.draining));
		pass(10000);
		assert_int_equal(done[2].ended, 1);
		assert_int_equal(done[2].listens, 0);
		assert_int_equal(drained(), SHARDS);
		shut(state);
	}
	open(state);
}

static void doors_that_cannot_open_stay_shut(void **state)
{
	(void)state;
	hear("{\"Drain\":true," BESIDE "}");
	pass(10000);
	done[1].listen_fails = true;
	hear("{" BESIDE "}");
	assert_true(done[0].open && done[2].open);
	assert_false(done[1].open);
	/* And open as soon as they can. */
	done[1].listen_fails = false;
	hear("{" BESIDE "}");
	assert_true(done[1].open);
	assert_int_equal(done[0].listens, 1);
	assert_true(all_open());
}

/* ---- the end of a shard ---- */

static void doors_that_cannot_welcome_are_tried_again(void **state)
{
	(void)state;
	done[1].listen_fails = true;
	for (unsigned i = 0; i < SHARDS; i++) {
		relaylife_welcome(&shards[i]);
		assert_int_equal(relaylife_is_leaving(&shards[i]), i == 1);
		assert_int_equal(done[i].open, i != 1);
	}
	hear("{" BESIDE "}");
	assert_int_equal(done[1].listens, 1);
	assert_false(done[1].open);
	done[1].listen_fails = false;
	hear("{" BESIDE "}");
	assert_true(all_open());
	assert_int_equal(done[0].listens + done[2].listens, 0);
}

static void one_that_leaves_welcomes_nobody(void **state)
{
	(void)state;
	hear("{\"Drain\":true," BESIDE "}");
	relaylife_welcome(&shards[0]);
	shards[1].closing = true;
	relaylife_welcome(&shards[1]);
	end_all();
	relaylife_welcome(&shards[2]);
	assert_int_equal(done[0].welcomes + done[1].welcomes + done[2].welcomes, 0);
}

static void what_is_posted_late_is_nothing(void **state)
{
	(void)state;
	json_t *answer = json_loads("{\"Drain\":true," BESIDE ",\"RecheckAll\":true}", 0, NULL);
	relaylife_heard(&shards[0], answer);
	json_decref(answer);
	for (unsigned i = 0; i < SHARDS; i++) {
		shards[i].closing = true;
		relaylife_close(&shards[i]);
	}
	pass(10000);
	for (unsigned i = 0; i < SHARDS; i++) {
		assert_int_equal(done[i].follows + done[i].shuts + done[i].all, 0);
		assert_null(shards[i].life.told);
	}
}

#define IN_ORDER(test) cmocka_unit_test_setup_teardown(test, open, shut)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_ORDER(every_shard_hears_it),

		IN_ORDER(after_a_long_silence_all_are_asked_about),
		cmocka_unit_test_teardown(it_goes_when_nobody_is_kept_waiting, shut),
		cmocka_unit_test_teardown(it_goes_before_time_is_up, shut),
		IN_ORDER(a_refused_one_goes_at_once),
		IN_ORDER(a_wish_outlives_the_token),
		IN_ORDER(clients_move_first),
		IN_ORDER(a_wish_lets_clients_go_and_come_back),
		IN_ORDER(a_wish_may_be_short),
		IN_ORDER(a_wish_waits_for_those_at_home),
		cmocka_unit_test_teardown(it_ends_while_it_drains, shut),
		IN_ORDER(doors_that_cannot_open_stay_shut),
		IN_ORDER(doors_that_cannot_welcome_are_tried_again),
		IN_ORDER(one_that_leaves_welcomes_nobody),
		IN_ORDER(what_is_posted_late_is_nothing),
	};
	log_setup("relaylife_test", LOG_ERROR + 1, LOG_TEXT);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
