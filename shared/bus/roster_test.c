#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "redis_server.h"
#include "roster.h"

static struct redis_server server;

static void on_change(void *context)
{
	++*(unsigned *)context;
}

static struct endpoint at(uint16_t port)
{
	return (struct endpoint){.ip = {.family = IP_V4, .byte = {127, 0, 0, 1}}, .port = port};
}

static struct bus *bus_at(struct loop *loop)
{
	struct diag why;
	struct bus *bus = bus_new(loop, server.url, &why);
	assert_non_null(bus);
	return bus;
}

static uint16_t pick(const struct roster *r, uint64_t tailnet)
{
	struct endpoint e;
	assert_int_equal(roster_pick(r, tailnet, &e), ERR_NONE);
	return e.port;
}

/* Each tailnet has one keeper, all see the same, and a leaving member moves only its own. */
static void test_members(void **state)
{
	(void)state;
	enum { MEMBERS = 4, TAILNETS = 4000 };
	static const char *const names[MEMBERS] = {"mapper-1.0", "mapper-1.1", "mapper-2.0", "mapper-2.1"};
	struct loop *loop = loop_new();
	struct bus *bus = bus_at(loop), *other = bus_at(loop);
	unsigned changes = 0;
	struct roster *r = roster_new(bus, on_change, &changes), *same = roster_new(other, NULL, NULL);
	struct roster_member *m[MEMBERS];
	struct endpoint none;
	assert_int_equal(roster_pick(r, 1, &none), ERR_UNAVAILABLE);
	TURN_UNTIL(loop, 3000, bus_up(bus) && bus_up(other));
	for (unsigned i = 0; i < MEMBERS; i++)
		m[i] = roster_announce(other, names[i], at((uint16_t)(1000 + i)));
	TURN_UNTIL(loop, 500, roster_count(r) == MEMBERS && roster_count(same) == MEMBERS);
	assert_true(changes);
	unsigned kept[MEMBERS] = {0};
	uint16_t before[TAILNETS];
	for (unsigned t = 0; t < TAILNETS; t++) {
		before[t] = pick(r, t);
		assert_int_equal(pick(same, t), before[t]);
		kept[before[t] - 1000]++;
	}
	for (unsigned i = 0; i < MEMBERS; i++)
		assert_in_range(kept[i], TAILNETS / MEMBERS * 85 / 100, TAILNETS / MEMBERS * 115 / 100);
	/* A mark moves the picks away, for all only when nobody else is left. */
	roster_mark(r, at(1002));
	for (unsigned t = 0; t < TAILNETS; t++) {
		assert_int_not_equal(pick(r, t), 1002);
		if (before[t] != 1002)
			assert_int_equal(pick(r, t), before[t]);
	}
	for (unsigned i = 0; i < MEMBERS; i++)
		roster_mark(r, at((uint16_t)(1000 + i)));
	assert_int_equal(pick(r, 5), before[5]);
	/* A withdrawal is seen at once. */
	roster_withdraw(&m[0]);
	TURN_UNTIL(loop, 500, roster_count(same) == MEMBERS - 1);
	for (unsigned t = 0; t < TAILNETS; t++) {
		if (before[t] != 1000)
			assert_int_equal(pick(same, t), before[t]);
	}
	for (unsigned i = 1; i < MEMBERS; i++)
		roster_withdraw(&m[i]);
	TURN_UNTIL(loop, 500, !roster_count(same));
	roster_free(&r);
	roster_free(&same);
	bus_free(&bus);
	bus_free(&other);
	loop_free(&loop);
}

/* A member that dies leaves when its lease ends; one that moves is seen; a Redis that lost its data takes nobody away. */
static void test_losses(void **state)
{
	(void)state;
	struct loop *loop = loop_new(), *dying = loop_new();
	struct bus *bus = bus_at(loop), *last = bus_at(dying);
	unsigned changes = 0;
	struct roster *r = roster_new(bus, on_change, &changes);
	struct roster_member *stays = roster_announce(bus, "stays", at(1)), *dies = roster_announce(last, "dies", at(2));
	for (int i = 0; i < 500 && roster_count(r) < 2; i++) {
		loop_turn(loop, 5);
		loop_turn(dying, 5);
	}
	assert_int_equal(roster_count(r), 2);
	TURN_UNTIL(loop, ROSTER_LEASE_MS + 1500, roster_count(r) == 1);
	assert_int_equal(pick(r, 3), 1);
	redis_stop(&server);
	turn_for(loop, 1500);
	assert_int_equal(roster_count(r), 1);
	unsigned before = changes;
	redis_start(&server);
	TURN_UNTIL(loop, 3000, bus_up(bus));
	turn_for(loop, ROSTER_LEASE_MS + 1500);
	assert_int_equal(roster_count(r), 1);
	assert_int_equal(changes, before);
	roster_withdraw(&stays);
	stays = roster_announce(bus, "stays", at(9));
	TURN_UNTIL(loop, 3000, roster_count(r) == 1 && pick(r, 3) == 9);
	roster_withdraw(&stays);
	roster_withdraw(&dies);
	roster_free(&r);
	bus_free(&bus);
	bus_free(&last);
	loop_free(&loop);
	loop_free(&dying);
}

static int start(void **state)
{
	(void)state;
	redis_start(&server);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	redis_clear(&server);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_members), cmocka_unit_test(test_losses)};
	return cmocka_run_group_tests(tests, start, stop);
}
