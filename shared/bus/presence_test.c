#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "presence.h"
#include "presence_message.h"
#include "redis_server.h"

enum { TAILNET = 7, GRACE_MS = 1500, PATIENCE_MS = 30000 /* on a loaded machine; nobody waits so long otherwise */ };

static struct redis_server server;
static struct loop *loop;

/* A holder or a view, each with a bus of its own, as in a process of its own. */
struct end {
	struct loop *loop;
	struct bus *bus;
	struct presence *presence;
	struct presence_view *view;
	unsigned replaced, known, changes;
	uint64_t tailnet, node, session;
};

static void on_replaced(void *context, uint64_t tailnet, uint64_t node, uint64_t session)
{
	struct end *e = context;
	e->replaced++;
	e->tailnet = tailnet;
	e->node = node;
	e->session = session;
}

static void on_change(void *context, uint64_t tailnet, uint64_t node)
{
	struct end *e = context;
	e->changes++;
	e->tailnet = tailnet;
	e->node = node;
}

static void on_known(void *context, uint64_t tailnet)
{
	(void)tailnet;
	((struct end *)context)->known++;
}

static void open_bus(struct end *e, struct loop *on)
{
	struct diag why;
	*e = (struct end){.loop = on};
	e->bus = bus_new(on, server.url, &why);
	assert_non_null(e->bus);
}

static void on_pong(void *context, enum err e, const struct redisReply *reply)
{
	(void)reply;
	*(bool *)context = e == ERR_NONE;
}

/* Redis has all that the holder said: its commands keep their order, and some are sent when others are answered. */
static void written(const struct end *e)
{
	for (int round = 0; round < 3; round++) {
		bool pong = false;
		loop_turn(e->loop, 2);
		bus_command(e->bus, on_pong, &pong, BUS_ARGS(BYTES("PING")));
		TURN_UNTIL(e->loop, PATIENCE_MS, pong);
	}
}

static void open_holder(struct end *e, struct loop *on, const char *name)
{
	open_bus(e, on);
	e->presence = presence_new(e->bus, name, on_replaced, e);
	TURN_UNTIL(on, PATIENCE_MS, bus_up(e->bus));
	written(e);
}

static void open_view(struct end *e, uint64_t tailnet)
{
	open_bus(e, loop);
	e->view = presence_view_new(e->bus, GRACE_MS, on_change, e);
	TURN_UNTIL(loop, PATIENCE_MS, bus_up(e->bus));
	presence_follow(e->view, tailnet, on_known, e);
	assert_int_equal(e->known, 0);
	TURN_UNTIL(loop, PATIENCE_MS, e->known == 1);
}

static void end_all(struct end *ends, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		presence_free(&ends[i].presence);
		presence_view_free(&ends[i].view);
		bus_free(&ends[i].bus);
	}
	turn_for(loop, 50);
}

static void test_message(void **state)
{
	(void)state;
	struct presence_message m;
	uint64_t node, session;
	assert_int_equal(presence_message_parse(BYTES("take c-1.0 7 1:2 3:18446744073709551615"), &m), ERR_NONE);
	assert_int_equal(m.word, PRESENCE_TAKE);
	assert_true(bytes_equal_text(m.holder, "c-1.0"));
	assert_true(m.tailnet == 7);
	assert_true(presence_pair(&m.pairs, &node, &session) && node == 1 && session == 2);
	assert_true(presence_pair(&m.pairs, &node, &session) && node == 3 && session == UINT64_MAX);
	assert_false(presence_pair(&m.pairs, &node, &session));
	assert_int_equal(presence_message_parse(BYTES("declared c 123"), &m), ERR_NONE);
	assert_int_equal(presence_message_parse(BYTES("gone c"), &m), ERR_NONE);
	static const char *const bad[] = {"",           "take",  "take ",    "take c",    "take c x",   "take c 7x 1:2",
					  "declared c", "gone ", "gone a/b", "leave c 1", "take \xff 1"};
	for (size_t i = 0; i < COUNT_OF(bad); i++)
		assert_int_not_equal(presence_message_parse(bytes_text(bad[i]), &m), ERR_NONE);
	m.pairs = BYTES("1:2 3 4:5");
	assert_true(presence_pair(&m.pairs, &node, &session));
	assert_false(presence_pair(&m.pairs, &node, &session));
}

/* Before Redis has an age, absence is not certain; tests of going offline need it. */
static void test_settling(void **state)
{
	(void)state;
	struct end e[1];
	open_view(&e[0], TAILNET);
	assert_false(presence_certain(e[0].view, TAILNET));
	TURN_UNTIL(loop, PATIENCE_MS, presence_certain(e[0].view, TAILNET));
	assert_false(presence_certain(e[0].view, TAILNET + 1));
	end_all(e, 1);
}

static void test_take_drop(void **state)
{
	(void)state;
	struct end e[3];
	open_holder(&e[0], loop, "a");
	presence_take(e[0].presence, TAILNET, 1, 11);
	written(&e[0]);
	open_view(&e[1], TAILNET);
	open_view(&e[2], TAILNET + 1);
	struct presence_view *v = e[1].view;
	assert_true(presence_online(v, TAILNET, 1));
	assert_false(presence_online(v, TAILNET, 2));
	assert_false(presence_online(v, TAILNET + 1, 1));
	assert_int_equal(e[1].changes, 0);
	TURN_UNTIL(loop, PATIENCE_MS, presence_certain(v, TAILNET));
	presence_take(e[0].presence, TAILNET, 2, 22);
	TURN_UNTIL(loop, PATIENCE_MS, presence_online(v, TAILNET, 2));
	assert_int_equal(e[1].changes, 1);
	assert_true(e[1].tailnet == TAILNET && e[1].node == 2);
	/* A late goodbye, and one that comes back within the grace. */
	presence_drop(e[0].presence, TAILNET, 2, 21);
	presence_drop(e[0].presence, TAILNET, 2, 22);
	turn_for(loop, 100);
	presence_take(e[0].presence, TAILNET, 2, 23);
	turn_for(loop, GRACE_MS + 200);
	assert_true(presence_online(v, TAILNET, 2));
	assert_int_equal(e[1].changes, 1);
	/* Really gone: not before the grace. */
	int64_t start = clock_mono().ms;
	presence_drop(e[0].presence, TAILNET, 2, 23);
	TURN_UNTIL(loop, PATIENCE_MS, !presence_online(v, TAILNET, 2));
	assert_true(clock_mono().ms - start >= GRACE_MS);
	assert_int_equal(e[1].changes, 2);
	assert_true(presence_online(v, TAILNET, 1));
	/* Followed no more, and again. */
	presence_unfollow(v, TAILNET);
	assert_false(presence_online(v, TAILNET, 1));
	presence_follow(v, TAILNET, on_known, &e[1]);
	TURN_UNTIL(loop, PATIENCE_MS, e[1].known == 2);
	assert_true(presence_online(v, TAILNET, 1));
	assert_int_equal(e[2].changes, 0);
	end_all(e, 3);
}

static void test_replaced(void **state)
{
	(void)state;
	struct end e[3];
	open_holder(&e[0], loop, "a");
	open_holder(&e[1], loop, "b");
	open_view(&e[2], TAILNET);
	presence_take(e[0].presence, TAILNET, 1, 11);
	written(&e[0]);
	presence_take(e[1].presence, TAILNET, 1, 12);
	TURN_UNTIL(loop, PATIENCE_MS, e[0].replaced == 1);
	assert_true(e[0].tailnet == TAILNET && e[0].node == 1 && e[0].session == 11);
	presence_drop(e[0].presence, TAILNET, 1, 11);
	turn_for(loop, GRACE_MS + 100);
	assert_true(presence_online(e[2].view, TAILNET, 1));
	assert_int_equal(e[1].replaced, 0);
	/* On the same holder. */
	presence_take(e[1].presence, TAILNET, 1, 13);
	assert_int_equal(e[1].replaced, 0);
	TURN_UNTIL(loop, PATIENCE_MS, e[1].replaced == 1);
	assert_true(e[1].session == 12);
	presence_drop(e[1].presence, TAILNET, 1, 12);
	turn_for(loop, GRACE_MS + 100);
	assert_true(presence_online(e[2].view, TAILNET, 1));
	/* Both in the same turn: the channel has an order, so exactly one of the two survives. */
	presence_take(e[0].presence, TAILNET, 2, 21);
	presence_take(e[1].presence, TAILNET, 2, 22);
	TURN_UNTIL(loop, PATIENCE_MS, e[0].replaced + e[1].replaced >= 3);
	turn_for(loop, 200);
	assert_int_equal(e[0].replaced + e[1].replaced, 3);
	end_all(e, 3);
}

/* Many in one turn, more than one command holds, in several tailnets; then most of them go. */
static void test_storm(void **state)
{
	(void)state;
	enum { TAILNETS = 50, NODES = 300 };
	struct end e[3];
	open_holder(&e[0], loop, "a");
	open_view(&e[1], 1000);
	for (uint64_t t = 0; t < TAILNETS; t++) {
		presence_follow(e[1].view, t, on_known, &e[1]);
		for (uint64_t n = 0; n < NODES; n++)
			presence_take(e[0].presence, t, n, n + 1);
	}
	TURN_UNTIL(loop, PATIENCE_MS, presence_online(e[1].view, TAILNETS - 1, NODES - 1));
	for (uint64_t t = 0; t < TAILNETS; t++) {
		for (uint64_t n = 0; n < NODES; n++)
			assert_true(presence_online(e[1].view, t, n));
	}
	written(&e[0]);
	open_view(&e[2], 3);
	for (uint64_t n = 0; n < NODES; n++)
		assert_true(presence_online(e[2].view, 3, n));
	TURN_UNTIL(loop, PATIENCE_MS, presence_certain(e[1].view, 3) && presence_certain(e[2].view, 3));
	for (uint64_t t = 0; t < TAILNETS; t++) {
		for (uint64_t n = 1; n < NODES; n++)
			presence_drop(e[0].presence, t, n, n + 1);
	}
	TURN_UNTIL(loop, PATIENCE_MS, !presence_online(e[1].view, TAILNETS - 1, NODES - 1) && !presence_online(e[2].view, 3, NODES - 1));
	turn_for(loop, GRACE_MS);
	for (uint64_t t = 0; t < TAILNETS; t++) {
		for (uint64_t n = 0; n < NODES; n++)
			assert_int_equal(presence_online(e[1].view, t, n), !n);
	}
	assert_false(presence_online(e[2].view, 3, 5));
	end_all(e, 3);
}

/* A holder that stops without a word: its nodes stay until its lease has ended, and the grace. One that says goodbye: the grace only. */
static void test_holder_goes(void **state)
{
	(void)state;
	struct end e[3];
	struct loop *stopped = loop_new();
	open_holder(&e[0], loop, "a");
	open_view(&e[1], TAILNET);
	open_holder(&e[2], stopped, "b");
	presence_take(e[0].presence, TAILNET, 1, 11);
	presence_take(e[2].presence, TAILNET, 1, 12);
	presence_take(e[2].presence, TAILNET, 2, 22);
	written(&e[2]);
	TURN_UNTIL(loop, PATIENCE_MS, presence_online(e[1].view, TAILNET, 1) && presence_online(e[1].view, TAILNET, 2));
	TURN_UNTIL(loop, PATIENCE_MS, presence_certain(e[1].view, TAILNET));
	TURN_UNTIL(loop, PATIENCE_MS, !presence_online(e[1].view, TAILNET, 2));
	assert_true(presence_online(e[1].view, TAILNET, 1));
	/* It goes on: its lease is missing, so it declares everything again. */
	for (int i = 0; i < 1000 && !presence_online(e[1].view, TAILNET, 2); i++) {
		loop_turn(stopped, 30);
		loop_turn(loop, 5);
	}
	assert_true(presence_online(e[1].view, TAILNET, 2));
	int64_t start = clock_mono().ms;
	presence_free(&e[2].presence);
	for (int i = 0; i < 5; i++)
		loop_turn(stopped, 2);
	TURN_UNTIL(loop, PATIENCE_MS, !presence_online(e[1].view, TAILNET, 2));
	assert_true(clock_mono().ms - start >= GRACE_MS);
	assert_true(presence_online(e[1].view, TAILNET, 1));
	bus_free(&e[2].bus);
	loop_free(&stopped);
	end_all(e, 2);
}

/* Redis dies and comes back empty: nobody goes offline, who went meanwhile does so afterwards. */
static void test_data_lost(void **state)
{
	(void)state;
	struct end e[3];
	open_holder(&e[0], loop, "a");
	open_view(&e[1], TAILNET);
	for (uint64_t n = 1; n <= 200; n++)
		presence_take(e[0].presence, TAILNET, n, n);
	TURN_UNTIL(loop, PATIENCE_MS, presence_online(e[1].view, TAILNET, 200));
	TURN_UNTIL(loop, PATIENCE_MS, presence_certain(e[1].view, TAILNET));
	unsigned before = e[1].changes;
	redis_stop(&server);
	TURN_UNTIL(loop, PATIENCE_MS, !presence_certain(e[1].view, TAILNET));
	presence_drop(e[0].presence, TAILNET, 5, 5);
	presence_take(e[0].presence, TAILNET, 201, 201);
	turn_for(loop, 1000);
	/* Followed while Redis is away: known at once, nobody is. */
	presence_follow(e[1].view, TAILNET + 1, on_known, &e[1]);
	TURN_UNTIL(loop, PATIENCE_MS, e[1].known == 2);
	assert_false(presence_certain(e[1].view, TAILNET + 1));
	presence_take(e[0].presence, TAILNET + 1, 1, 1);
	assert_int_equal(e[1].changes, before);
	redis_start(&server);
	TURN_UNTIL(loop, PATIENCE_MS, presence_online(e[1].view, TAILNET, 201) && presence_online(e[1].view, TAILNET + 1, 1));
	open_view(&e[2], TAILNET);
	assert_true(presence_online(e[2].view, TAILNET, 200));
	assert_false(presence_online(e[2].view, TAILNET, 5));
	TURN_UNTIL(loop, PATIENCE_MS, !presence_online(e[1].view, TAILNET, 5));
	assert_int_equal(e[1].changes, before + 3);
	for (uint64_t n = 1; n <= 201; n++)
		assert_int_equal(presence_online(e[1].view, TAILNET, n), n != 5);
	assert_int_equal(e[0].replaced, 0);
	end_all(e, 3);
}

/* Only the data goes: the holder finds its lease missing. */
static void test_flushed(void **state)
{
	(void)state;
	struct end e[3];
	open_holder(&e[0], loop, "a");
	presence_take(e[0].presence, TAILNET, 1, 11);
	written(&e[0]);
	bus_command(e[0].bus, NULL, NULL, BUS_ARGS(BYTES("FLUSHALL")));
	turn_for(loop, PRESENCE_RENEW_MS + 2000);
	open_view(&e[1], TAILNET);
	assert_true(presence_online(e[1].view, TAILNET, 1));
	/* One hash alone: found when its expiry is moved. */
	bus_command(e[0].bus, NULL, NULL, BUS_ARGS(BYTES("DEL"), BYTES("fs:held:a:7")));
	turn_for(loop, PRESENCE_RENEW_MS + 2000);
	open_view(&e[2], TAILNET);
	assert_true(presence_online(e[2].view, TAILNET, 1));
	assert_true(presence_online(e[1].view, TAILNET, 1));
	end_all(e, 3);
}

static int start(void **state)
{
	(void)state;
	redis_start(&server);
	loop = loop_new();
	return 0;
}

static int stop(void **state)
{
	(void)state;
	loop_free(&loop);
	redis_clear(&server);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_message), cmocka_unit_test(test_settling),    cmocka_unit_test(test_take_drop), cmocka_unit_test(test_replaced),
		cmocka_unit_test(test_storm),   cmocka_unit_test(test_holder_goes), cmocka_unit_test(test_data_lost), cmocka_unit_test(test_flushed),
	};
	return cmocka_run_group_tests(tests, start, stop);
}
