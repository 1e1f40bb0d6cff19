/* PostgreSQL is the test: what it holds is a list of relays and one of regions. */
#include "relaygauge.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "metric.h"
#include "relayfleet.h"
#include "relays.h"
#include "tailnet.h"

struct tx {
	struct arena *arena;
};

static struct tx transaction;
static tx_fn reading;
static void *reading_context;
static unsigned begun;
static struct relay relays[RELAYFLEET_MAX + 1];
static struct region regions[3];
static size_t relay_count, region_count;

struct tx *tx_begin(struct pg *pg, uint64_t tailnet, enum tx_mode mode)
{
	(void)pg;
	assert_int_equal(tailnet, TAILNET_INSTALLATION);
	assert_int_equal(mode, TX_READ);
	assert_null(reading); /* not again while one is on its way */
	begun++;
	return &transaction;
}

struct arena *tx_arena(struct tx *tx)
{
	return tx->arena;
}

void tx_run(struct tx *tx, tx_fn on_done, void *context)
{
	assert_ptr_equal(tx, &transaction);
	reading = on_done;
	reading_context = context;
}

unsigned relays_page(struct tx *tx, uint64_t after, unsigned limit)
{
	(void)tx;
	assert_int_equal(after, 0);
	assert_int_equal(limit, RELAYFLEET_MAX + 1);
	return 1;
}

unsigned regions_list(struct tx *tx)
{
	(void)tx;
	return 2;
}

size_t relays_read(struct tx *tx, unsigned statement, struct arena *arena, struct relay **out)
{
	(void)tx, (void)arena;
	assert_int_equal(statement, 1);
	*out = relays;
	return relay_count;
}

size_t regions_read(struct tx *tx, unsigned statement, struct arena *arena, struct region **out)
{
	(void)tx, (void)arena;
	assert_int_equal(statement, 2);
	*out = regions;
	return region_count;
}

static void answer(enum err e)
{
	tx_fn on_done = reading;
	struct diag why = {.text = "so"};
	assert_non_null(on_done);
	reading = NULL;
	transaction.arena = arena_new();
	on_done(reading_context, e, &transaction, &why);
	arena_free(&transaction.arena);
}

static bool says(const char *line)
{
	struct buffer out;
	buffer_init(&out, 1 << 20);
	assert_int_equal(metric_write(&out), ERR_NONE);
	assert_int_equal(buffer_add_byte(&out, 0), ERR_NONE);
	bool found = strstr((const char *)out.at, line) != NULL;
	buffer_clear(&out);
	return found;
}

static struct coordinator c;
static const struct wall once = {.ns = 5};

/* In the map, unless told otherwise. */
static struct relay relay_in(unsigned region)
{
	return (struct relay){.region = region, .created = once, .last_seen = once, .shown = true, .silent_since = WALL_ZERO, .deleted = WALL_ZERO};
}

static void pass(int64_t ms)
{
	for (; ms > 0; ms -= 500) {
		clock_step_by_hand(500);
		loop_turn(c.loop, 0);
	}
	loop_turn(c.loop, 0);
}

static int open_it(void **state)
{
	(void)state;
	clock_set_by_hand((struct mono){1000000}, (struct wall){0});
	c = (struct coordinator){.loop = loop_new()};
	begun = 0;
	c.relaygauge = relaygauge_new(&c);
	return 0;
}

static int shut(void **state)
{
	(void)state;
	relaygauge_free(&c.relaygauge);
	relaygauge_free(&c.relaygauge);
	assert_null(c.relaygauge);
	if (reading)
		answer(ERR_CANCELED);
	loop_free(&c.loop);
	return 0;
}

static void relays_are_counted(void **state)
{
	(void)state;
	regions[0] = (struct region){.map = {.id = 900, .code = BYTES("ours")}};
	regions[1] = (struct region){.map = {.id = 901, .code = BYTES("a\"b")}};
	region_count = 2;
	for (unsigned i = 0; i < 4; i++)
		relays[i] = relay_in(900);
	relays[2].silent_since = once;
	relays[3].draining = true;
	relays[4] = relay_in(901);
	relays[4].last_seen = WALL_ZERO;
	relays[5] = relay_in(902); /* its region has just gone */
	relay_count = 6;
	pass(500);
	answer(ERR_NONE);
	assert_true(says("# TYPE fleetscale_relays gauge\nfleetscale_relays{region=\"ours\",region_id=\"900\",state=\"serving\"} 2\n"));
	assert_true(says("{region=\"ours\",region_id=\"900\",state=\"silent\"} 1\n"));
	assert_true(says("{region=\"ours\",region_id=\"900\",state=\"draining\"} 1\n"));
	assert_true(says("{region=\"ours\",region_id=\"900\",state=\"never_seen\"} 0\n"));
	assert_true(says("{region=\"a\\\"b\",region_id=\"901\",state=\"never_seen\"} 1\n"));
	assert_true(says("{region=\"a\\\"b\",region_id=\"901\",state=\"serving\"} 0\n"));
	assert_false(says("902"));
}

static void it_looks_again(void **state)
{
	(void)state;
	region_count = 1;
	relay_count = 1;
	regions[0] = (struct region){.map = {.id = 900, .code = BYTES("ours")}};
	relays[0] = relay_in(900);
	relays[0].revoked = true;
	pass(500);
	answer(ERR_NONE);
	assert_true(says("state=\"revoked\"} 1\n"));
	relays[0].deleted = once;
	pass(2 * RELAYGAUGE_LOOK_MS); /* one is out: no second one */
	assert_int_equal(begun, 2);
	answer(ERR_NONE);
	assert_true(says("state=\"revoked\"} 0\n"));
	assert_true(says("state=\"leaving\"} 1\n"));
}

static void what_is_not_known_is_not_told(void **state)
{
	(void)state;
	region_count = 1;
	relay_count = 0;
	pass(500);
	answer(ERR_NONE);
	assert_true(says("fleetscale_relays{"));
	pass(RELAYGAUGE_LOOK_MS);
	answer(ERR_UNAVAILABLE);
	assert_false(says("fleetscale_relays{"));
	pass(RELAYGAUGE_LOOK_MS);
	answer(ERR_NONE);
	assert_true(says("fleetscale_relays{"));
	for (relay_count = 0; relay_count < RELAYFLEET_MAX; relay_count++)
		relays[relay_count] = relay_in(900);
	pass(RELAYGAUGE_LOOK_MS);
	answer(ERR_NONE);
	assert_true(says("state=\"serving\"} 4096\n"));
	relays[relay_count++] = relay_in(900);
	pass(RELAYGAUGE_LOOK_MS);
	answer(ERR_NONE);
	assert_false(says("fleetscale_relays{"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(relays_are_counted, open_it, shut),
		cmocka_unit_test_setup_teardown(it_looks_again, open_it, shut),
		cmocka_unit_test_setup_teardown(what_is_not_known_is_not_told, open_it, shut),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
