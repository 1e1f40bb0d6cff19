#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "census.h"
#include "duty.h"
#include "log.h"
#include "nodes.h"
#include "prune.h"
#include "relays.h"
#include "store_fixture.h"
#include "users.h"

static struct fixture *fx;
static struct loop *loop;
static struct pg *writer, *reader;
static struct arena *arena;
static uint64_t tailnet, user;

static int set_up(void **state)
{
	(void)state;
	log_setup("journal_test", LOG_ERROR, LOG_TEXT);
	fx = fixture_new();
	loop = loop_new();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	loop_free(&loop);
	fixture_free(&fx);
	return 0;
}

static int fresh(void **state)
{
	(void)state;
	fixture_database(fx);
	tailnet = strtoull(fixture_sql(fx, "SELECT id FROM fleetscale.tailnets"), NULL, 10);
	user = strtoull(fixture_sql(fx, "SELECT id FROM fleetscale.users"), NULL, 10);
	writer = pg_new(loop, &(struct pg_config){fixture_coordinator(fx), true, 2, 1000, 10000});
	reader = pg_new(loop, &(struct pg_config){fixture_mapper(fx), false, 2, 1000, 10000});
	arena = arena_new();
	return 0;
}

static int end(void **state)
{
	(void)state;
	pg_free(&writer);
	pg_free(&reader);
	arena_free(&arena);
	return 0;
}

struct taken {
	bool done;
	enum err e;
	const struct census *census;
	const struct census_relays *relays;
	const struct journal_read *read;
};

static void on_census(void *context, enum err e, const struct census *census)
{
	*(struct taken *)context = (struct taken){.done = true, .e = e, .census = census};
}
static void on_relays(void *context, enum err e, const struct census_relays *relays)
{
	*(struct taken *)context = (struct taken){.done = true, .e = e, .relays = relays};
}
static void on_read(void *context, enum err e, const struct journal_read *read)
{
	*(struct taken *)context = (struct taken){.done = true, .e = e, .read = read};
}

static struct taken census(uint64_t of)
{
	struct taken t = {0};
	census_take(reader, of, arena, on_census, &t);
	assert_true(fixture_wait(loop, &t.done, 10000));
	return t;
}

static struct taken relays(void)
{
	struct taken t = {0};
	census_take_relays(reader, arena, on_relays, &t);
	assert_true(fixture_wait(loop, &t.done, 10000));
	assert_int_equal(t.e, ERR_NONE);
	return t;
}

static struct taken since(uint64_t of, uint64_t generation, uint64_t stamp)
{
	struct taken t = {0};
	journal_since(reader, of, generation, stamp, arena, on_read, &t);
	assert_true(fixture_wait(loop, &t.done, 10000));
	return t;
}

static void on_joined(void *context, enum err e, const struct node *node, uint64_t generation, const struct diag *why)
{
	struct taken *t = context;
	(void)node, (void)generation, (void)why;
	t->done = true;
	t->e = e;
}

static void join(uint8_t n)
{
	struct enrollment e = {.user = user, .label = BYTES("pc"), .expiry = WALL_ZERO, .approved = true};
	struct taken t = {0};
	memset(e.machine_key.raw, n, KEY_LEN);
	memset(e.node_key.raw, n, KEY_LEN);
	nodes_enroll(writer, tailnet, &e, on_joined, &t);
	assert_true(fixture_wait(loop, &t.done, 10000));
	assert_int_equal(t.e, ERR_NONE);
}

static void write_all(struct tx *tx)
{
	assert_int_equal(fixture_run(loop, tx, NULL, NULL, NULL), ERR_NONE);
}

static void increments_add_up_to_the_census(void **state)
{
	struct taken first = census(tailnet);
	(void)state;
	assert_int_equal(first.e, ERR_NONE);
	assert_true(first.census->stamp && first.census->generation && first.census->user_count == 1 && first.census->node_count == 0);
	assert_true(bytes_equal_text(first.census->tailnet.domain, "default.fleet.test"));
	uint64_t generation = first.census->generation, stamp = first.census->stamp;
	struct taken none = since(tailnet, generation, stamp);
	assert_int_equal(none.e, ERR_NONE);
	assert_true(none.read->line_count == 0 && none.read->generation == generation && none.read->stamp == stamp);
	join(1);
	join(2);
	uint64_t id = strtoull(fixture_sql(fx, "SELECT min(id) FROM fleetscale.nodes"), NULL, 10);
	struct tx *tx = tx_begin(writer, tailnet, TX_WRITE);
	nodes_delete(tx, id);
	users_insert(tx, &(struct user){.name = BYTES("ann"), .email = BYTES("ann@example.com")});
	write_all(tx);
	struct taken some = since(tailnet, generation, stamp);
	assert_int_equal(some.e, ERR_NONE);
	assert_int_equal(some.read->line_count, 4);
	assert_true(some.read->generation == generation + 3);
	assert_true(some.read->lines[0].generation == generation + 1 && some.read->lines[0].kind == CHANGE_NODE_ADDED && some.read->lines[0].subject == id);
	/* Added and removed: a subject without a row. */
	assert_int_equal(some.read->node_count, 1);
	assert_true(some.read->nodes[0].id != id);
	assert_int_equal(some.read->user_count, 1);
	assert_true(bytes_equal_text(some.read->users[0].email, "ann@example.com"));
	assert_null(some.read->tailnet);
	struct taken all = census(tailnet);
	assert_true(all.census->generation == some.read->generation && all.census->stamp == some.read->stamp);
	assert_true(all.census->node_count == 1 && all.census->nodes[0].id == some.read->nodes[0].id && all.census->user_count == 2);
}

static void history_that_is_not_ours_means_census(void **state)
{
	(void)state;
	uint64_t generation = census(tailnet).census->generation, stamp = census(tailnet).census->stamp;
	join(1);
	assert_int_equal(since(tailnet, generation, stamp + 1).e, ERR_NO_HISTORY);
	assert_int_equal(since(tailnet, generation + 5, stamp).e, ERR_NO_HISTORY);
	assert_int_equal(since(tailnet, 0, 0).e, ERR_NO_HISTORY);
	assert_int_equal(since(tailnet, generation, stamp).e, ERR_NONE);
	fixture_sql(fx, "DELETE FROM fleetscale.journal j USING fleetscale.generations g WHERE g.tailnet_id = j.tailnet_id AND j.generation < g.generation");
	assert_int_equal(since(tailnet, generation, stamp).e, ERR_NO_HISTORY);
	/* A tailnet that is gone, and one that never was. */
	assert_int_equal(census(424242).e, ERR_NOT_FOUND);
	struct taken gone = since(424242, 1, 1);
	assert_true(gone.e == ERR_NONE && gone.read->tailnet_gone);
}

static void on_pruned(void *context, enum err e, uint64_t removed)
{
	struct taken *t = context;
	t->done = true;
	t->e = e;
	assert_true(e || removed > 0);
}

static void pruning_keeps_the_last_line(void **state)
{
	struct taken t = {0};
	(void)state;
	for (uint8_t i = 1; i < 6; i++)
		join(i);
	prune_journal(writer, 3600000, 2, on_pruned, &t);
	assert_true(fixture_wait(loop, &t.done, 10000));
	assert_int_equal(t.e, ERR_NONE);
	assert_string_equal(fixture_sql(fx, "SELECT count(*) FROM fleetscale.journal WHERE tailnet_id > 0"), "2");
	t.done = false;
	fixture_sql(fx, "UPDATE fleetscale.journal SET at = now() - interval '2 hours'");
	prune_journal(writer, 3600000, 1000, on_pruned, &t);
	assert_true(fixture_wait(loop, &t.done, 10000));
	assert_string_equal(fixture_sql(fx, "SELECT count(*) FROM fleetscale.journal WHERE tailnet_id > 0"), "1");
	struct taken now = census(tailnet);
	assert_int_equal(since(tailnet, now.census->generation, now.census->stamp).e, ERR_NONE);
}

struct stands {
	bool done;
	uint64_t at[4];
	size_t count;
};

static void on_stands(void *context, enum err e, const uint64_t *generations, size_t count)
{
	struct stands *s = context;
	assert_int_equal(e, ERR_NONE);
	memcpy(s->at, generations, count * sizeof *generations);
	s->count = count;
	s->done = true;
}

static void many_tailnets_are_asked_at_once(void **state)
{
	struct stands s = {0};
	(void)state;
	join(1);
	journal_generations(reader, (uint64_t[]){tailnet, 424242, 0}, 3, on_stands, &s);
	assert_true(fixture_wait(loop, &s.done, 10000));
	assert_int_equal(s.count, 3);
	assert_true(s.at[0] == census(tailnet).census->generation && s.at[1] == 0 && s.at[2] == 1);
}

static uint64_t relay_id;
static struct relay_token relay_key = {.id = 1};

static void see_relay(void *context, struct tx *tx)
{
	struct relay *made;
	assert_int_equal(relays_read(tx, *(unsigned *)context, arena, &made), 1);
	relay_id = made->id;
	assert_true(wall_is_zero(made->last_seen));
}

static void see_generation(void *context, struct tx *tx)
{
	*(uint64_t *)context = tx_generation(tx);
}

static uint64_t announce(const struct relay *relay)
{
	uint64_t generation = 0;
	struct tx *tx = tx_begin(writer, 0, TX_WRITE);
	relays_announce(tx, &relay_key, relay);
	assert_int_equal(fixture_run(loop, tx, see_generation, &generation, NULL), ERR_NONE);
	return generation;
}

static void the_relay_map_comes_from_rows(void **state)
{
	struct relay relay = {.region = 900, .node = {.name = BYTES("900a")}};
	struct secret secret = {.prefix = "abcdefghijkl"};
	struct tx *tx = tx_begin(writer, 0, TX_WRITE);
	(void)state;
	regions_insert(tx, &(struct relay_region){.id = 900, .code = BYTES("fl"), .name = BYTES("Fleet"), .latitude = 52.5});
	regions_insert(tx, &(struct relay_region){.id = 901, .code = BYTES("xx"), .name = BYTES("Empty")});
	unsigned at = relays_insert(tx, &relay, &secret);
	assert_int_equal(fixture_run(loop, tx, see_relay, &at, NULL), ERR_NONE);
	struct taken t = relays();
	uint64_t generation = t.relays->generation, stamp = t.relays->stamp;
	assert_int_equal(t.relays->region_count, 2);
	assert_int_equal(t.relays->regions[0].node_count, 0);
	assert_true(t.relays->regions[0].latitude == 52.5);
	/* It announces itself. */
	relay.id = relay_id;
	relay.node.host_name = BYTES("relay.example.com");
	relay.node.ipv4 = BYTES("192.0.2.1");
	relay.node.stun_port = -1;
	relay.node.insecure_for_tests = true;
	relay.version = BYTES("0.1");
	assert_true(announce(&relay) == generation + 1);
	t = relays();
	assert_int_equal(t.relays->regions[0].node_count, 1);
	assert_int_equal(t.relays->regions[1].node_count, 0);
	const struct relay_node *n = &t.relays->regions[0].nodes[0];
	assert_true(bytes_equal_text(n->name, "900a") && bytes_equal_text(n->host_name, "relay.example.com") && n->stun_port == -1 && n->insecure_for_tests);
	/* Alive again, nothing new to see: no line. */
	relay.version = BYTES("0.2");
	assert_true(announce(&relay) == 0);
	relay.node.relay_port = 8443;
	assert_true(announce(&relay) == generation + 2);
	struct taken j = since(0, generation, stamp);
	assert_int_equal(j.e, ERR_NONE);
	assert_int_equal(j.read->line_count, 2);
	assert_int_equal(j.read->lines[1].kind, CHANGE_RELAYS);
	assert_false(j.read->tailnet_gone);
	tx = tx_begin(writer, 0, TX_WRITE);
	relays_remove(tx, relay_id);
	relays_remove(tx, relay_id);
	write_all(tx);
	assert_int_equal(relays().relays->regions[0].node_count, 0);
	tx = tx_begin(writer, 0, TX_WRITE);
	relays_announce(tx, &relay_key, &relay);
	assert_int_equal(fixture_run(loop, tx, NULL, NULL, NULL), ERR_NOT_FOUND);
}

static void a_duty_has_one_holder(void **state)
{
	(void)state;
	/* Another process is at it: in its transaction. */
	struct taken t = {0};
	struct tx *tx = tx_begin(writer, tailnet, TX_WRITE), *second = tx_begin(writer, tailnet, TX_WRITE), *elsewhere = tx_begin(writer, tailnet, TX_WRITE);
	duty_take(tx, DUTY_EXPIRY);
	tx_add(tx, "SELECT pg_sleep(0.5)");
	tx_run(tx, NULL, NULL);
	tx_add(second, "SELECT pg_sleep(0.2)");
	duty_take(second, DUTY_EXPIRY);
	(void)t;
	assert_int_equal(fixture_run(loop, second, NULL, NULL, NULL), ERR_AGAIN);
	duty_take(elsewhere, DUTY_EPHEMERAL);
	write_all(elsewhere);
	tx = tx_begin(writer, tailnet, TX_WRITE);
	tx_add(tx, "SELECT pg_sleep(0.6)");
	duty_take(tx, DUTY_EXPIRY);
	write_all(tx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(increments_add_up_to_the_census, fresh, end),
		cmocka_unit_test_setup_teardown(history_that_is_not_ours_means_census, fresh, end),
		cmocka_unit_test_setup_teardown(pruning_keeps_the_last_line, fresh, end),
		cmocka_unit_test_setup_teardown(many_tailnets_are_asked_at_once, fresh, end),
		cmocka_unit_test_setup_teardown(the_relay_map_comes_from_rows, fresh, end),
		cmocka_unit_test_setup_teardown(a_duty_has_one_holder, fresh, end),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
