#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "nodes_fixture.h"

/* --- changes ------------------------------------------------------------------------------------------------------------------------------------------------------------ */

static void a_rekeyed_node_keeps_its_identity(void **state)
{
	struct enrollment e = join_of(1, "laptop");
	struct joined in = enroll(e);
	struct secret secret;
	struct diag why;
	(void)state;
	fixture_sql(fx, "UPDATE fleetscale.nodes SET first_polled = now()");
	struct node_key was = e.node_key;
	e.node_key.raw[9] = 7;
	e.authkey = make_key(&secret, false);
	e.consume_key = true;
	e.expiry = wall_of_ms(4102444800000);
	struct tx *tx = tx_begin(pg, tailnet, TX_WRITE);
	unsigned at = nodes_rekey(tx, in.node.id, &was, &e);
	assert_int_equal(fixture_run(loop, tx, see_node, &at, NULL), ERR_NONE);
	assert_true(seen.id == in.node.id && ip_equal(seen.ip4, in.node.ip4) && bytes_equal(seen.label, in.node.label));
	assert_memory_equal(seen.node_key.raw, e.node_key.raw, KEY_LEN);
	assert_true(wall_is_zero(seen.first_polled));
	assert_true(seen.expiry.ns == e.expiry.ns);
	assert_string_equal(last_lines(), "node-key node-expiry");
	/* It changed since it was read. */
	tx = tx_begin(pg, tailnet, TX_WRITE);
	nodes_rekey(tx, in.node.id, &was, &e);
	assert_int_equal(fixture_run(loop, tx, NULL, NULL, &why), ERR_CONFLICT);
	/* The key is spent for another node. */
	struct enrollment late = join_of(2, "other");
	struct joined rival = enroll(late);
	late.authkey = e.authkey;
	late.consume_key = true;
	struct node_key late_was = late.node_key;
	late.node_key.raw[9] = 8;
	tx = tx_begin(pg, tailnet, TX_WRITE);
	nodes_rekey(tx, rival.node.id, &late_was, &late);
	assert_int_equal(fixture_run(loop, tx, NULL, NULL, &why), ERR_EXHAUSTED);
	/* To tags: the user goes. */
	struct bytes tag = BYTES("tag:web");
	late.authkey = 0;
	late.user = 0;
	late.tags = &tag;
	late.tag_count = 1;
	tx = tx_begin(pg, tailnet, TX_WRITE);
	at = nodes_rekey(tx, rival.node.id, &late_was, &late);
	assert_int_equal(fixture_run(loop, tx, see_node, &at, NULL), ERR_NONE);
	assert_true(seen.user == 0 && seen.tag_count == 1 && node_wire_user(&seen) == rival.node.id);
	assert_string_equal(last_lines(), "node-key node-owner");
}

static enum err change(unsigned (*add)(struct tx *tx, uint64_t id), uint64_t id)
{
	struct tx *tx = tx_begin(pg, tailnet, TX_WRITE);
	add(tx, id);
	unsigned at = nodes_get(tx, id);
	bool deleted = add == nodes_delete;
	return fixture_run(loop, tx, deleted ? NULL : see_node, &at, NULL);
}

static const struct prefix ten = {{IP_V4, {10}}, 8};
static struct bytes a_tag = {(const uint8_t *)"tag:a", 5};
static unsigned rename_it(struct tx *tx, uint64_t id)
{
	return nodes_rename(tx, id, BYTES("chosen"));
}
static unsigned expire_it(struct tx *tx, uint64_t id)
{
	return nodes_set_expiry(tx, id, wall_of_ms(1000));
}
static unsigned renew_it(struct tx *tx, uint64_t id)
{
	return nodes_set_expiry(tx, id, WALL_ZERO);
}
static unsigned tag_it(struct tx *tx, uint64_t id)
{
	return nodes_tag(tx, id, &a_tag, 1);
}
static struct bytes other_tag = {(const uint8_t *)"tag:other", 9};
static struct bytes own_tag = {(const uint8_t *)"tag:own", 7};
static unsigned retag_it(struct tx *tx, uint64_t id)
{
	return nodes_retag(tx, &(struct node){.id = id, .tags = &a_tag, .tag_count = 1}, &own_tag, 1);
}
static unsigned retag_late(struct tx *tx, uint64_t id)
{
	return nodes_retag(tx, &(struct node){.id = id, .tags = &other_tag, .tag_count = 1}, &own_tag, 1);
}
static unsigned route_it(struct tx *tx, uint64_t id)
{
	return nodes_approve_routes(tx, id, &ten, 1);
}
static unsigned hold_it(struct tx *tx, uint64_t id)
{
	return nodes_approve(tx, id, false);
}
static unsigned relabel_it(struct tx *tx, uint64_t id)
{
	return nodes_relabel(tx, id, BYTES("desk"));
}

static void each_change_has_its_line(void **state)
{
	uint64_t id = enroll(join_of(1, "laptop")).node.id, second = enroll(join_of(2, "desk")).node.id;
	(void)state;
	assert_int_equal(change(relabel_it, id), ERR_NONE);
	assert_true(bytes_equal_text(seen.label, "desk-1"));
	assert_string_equal(last_lines(), "node-name");
	const char *generation = "SELECT generation FROM fleetscale.generations WHERE tailnet_id > 0";
	uint64_t before = strtoull(fixture_sql(fx, generation), NULL, 10);
	assert_int_equal(change(relabel_it, id), ERR_NONE);
	assert_true(strtoull(fixture_sql(fx, generation), NULL, 10) == before);
	assert_int_equal(change(rename_it, id), ERR_NONE);
	assert_true(bytes_equal_text(seen.label, "chosen") && seen.renamed);
	assert_string_equal(last_lines(), "node-name");
	assert_int_equal(change(relabel_it, id), ERR_NONE);
	assert_true(bytes_equal_text(seen.label, "chosen"));
	assert_int_equal(change(rename_it, second), ERR_EXISTS);
	assert_int_equal(change(expire_it, id), ERR_NONE);
	assert_true(seen.expiry.ns == 1000000000);
	assert_string_equal(last_lines(), "node-expiry");
	assert_int_equal(change(renew_it, id), ERR_NONE);
	assert_true(wall_is_zero(seen.expiry));
	assert_int_equal(change(route_it, id), ERR_NONE);
	assert_int_equal(seen.approved_count, 1);
	assert_string_equal(last_lines(), "node-routes");
	assert_int_equal(change(hold_it, id), ERR_NONE);
	assert_false(seen.approved);
	assert_int_equal(change(tag_it, id), ERR_NONE);
	assert_true(seen.user == 0 && bytes_equal_text(seen.tags[0], "tag:a"));
	/* What an administrator did since its tags were looked at stands. */
	assert_int_equal(change(retag_late, id), ERR_CONFLICT);
	assert_int_equal(change(expire_it, id), ERR_NONE);
	assert_int_equal(change(retag_it, id), ERR_CONFLICT);
	assert_int_equal(change(tag_it, id), ERR_NONE);
	assert_int_equal(change(retag_it, id), ERR_NONE);
	assert_true(seen.user == 0 && bytes_equal_text(seen.tags[0], "tag:own"));
	assert_int_equal(change(nodes_delete, id), ERR_NONE);
	assert_string_equal(last_lines(), "node-removed");
	unsigned (*const all[])(struct tx *, uint64_t) = {rename_it, expire_it, tag_it, route_it, hold_it, relabel_it, nodes_delete};
	for (size_t i = 0; i < COUNT_OF(all); i++)
		assert_int_equal(change(all[i], id), ERR_NOT_FOUND);
}

/* --- reports --------------------------------------------------------------------------------------------------------------------------------------------------------------- */

struct counted {
	unsigned statement;
	size_t rows;
	uint64_t generation;
};

static void count_rows(void *context, struct tx *tx)
{
	struct counted *c = context;
	c->rows = tx_rows(tx, c->statement);
	c->generation = tx_generation(tx);
}

static struct counted report(const struct node_report *reports, size_t count)
{
	struct counted c = {0};
	struct tx *tx = tx_begin(pg, tailnet, TX_WRITE);
	c.statement = nodes_report_add(tx, reports, count);
	assert_int_equal(fixture_run(loop, tx, count_rows, &c, NULL), ERR_NONE);
	return c;
}

static struct node get(uint64_t id)
{
	struct tx *tx = tx_begin(pg, tailnet, TX_READ);
	unsigned at = nodes_get(tx, id);
	assert_int_equal(fixture_run(loop, tx, see_node, &at, NULL), ERR_NONE);
	return seen;
}

static void reports_tell_only_what_differs(void **state)
{
	uint64_t a = enroll(join_of(1, "a")).node.id, b = enroll(join_of(2, "b")).node.id;
	struct endpoint endpoints[] = {{{IP_V4, {192, 0, 2, 1}}, 41641}, {{IP_V6, {0x20, 1, 0xd, 0xb8}}, 1}};
	struct wall at = {1900000000123456000};
	struct node_report reports[] = {
		{.node = a,
		 .epoch = 5,
		 .capver = 113,
		 .disco_key = {{7}},
		 .hostinfo = BYTES("{\"OS\":\"linux\"}"),
		 .has_endpoints = true,
		 .endpoints = endpoints,
		 .endpoint_count = 2,
		 .home_relay = 900,
		 .at = at},
		{.node = b,
		 .epoch = 6,
		 .capver = 113,
		 .hostinfo = BYTES("{\"Hostname\":\"b \\\"x\\\" , }\"}"),
		 .has_routes = true,
		 .routes = &ten,
		 .route_count = 1,
		 .at = at},
		{.node = 987654, .epoch = 7, .at = at},
	};
	(void)state;
	struct counted c = report(reports, 3);
	assert_int_equal(c.rows, 2);
	assert_string_equal(last_lines(), "node-disco node-endpoints node-relay node-hostinfo node-routes");
	struct node n = get(a);
	assert_int_equal(n.endpoint_count, 2);
	assert_true(endpoint_equal(n.endpoints[1], endpoints[1]));
	assert_int_equal(n.home_relay, 900);
	assert_int_equal(n.disco_key.raw[0], 7);
	assert_true(n.last_seen.ns == at.ns);
	n = get(b);
	assert_true(bytes_equal(n.hostinfo, reports[1].hostinfo));
	assert_int_equal(n.advertised_count, 1);
	assert_int_equal(n.endpoint_count, 0);
	/* The same again moves nothing. */
	c = report(reports, 2);
	assert_int_equal(c.rows, 2);
	assert_true(c.generation == 0);
	/* Absent stays, present and empty goes; a late one of an older connection loses. */
	struct node_report next = {.node = a, .epoch = 8, .has_endpoints = true, .at = at};
	assert_true(report(&next, 1).generation > 0);
	assert_string_equal(last_lines(), "node-endpoints");
	assert_int_equal(get(a).home_relay, 900);
	assert_int_equal(report(&reports[0], 1).rows, 0);
	assert_int_equal(get(a).endpoint_count, 0);
}

static void being_seen_moves_forward_only(void **state)
{
	uint64_t id = enroll(join_of(1, "a")).node.id;
	struct wall now = clock_wall(), later = wall_add_ms(now, 60000);
	(void)state;
	for (int told = 0; told < 2; told++) {
		struct counted c = {0};
		struct tx *tx = tx_begin(pg, tailnet, TX_WRITE);
		later = wall_add_ms(later, 1000);
		nodes_seen(tx, &id, 1, later, told);
		assert_int_equal(fixture_run(loop, tx, count_rows, &c, NULL), ERR_NONE);
		assert_int_equal(c.rows, 1);
		assert_true((c.generation > 0) == told);
	}
	struct counted c = {0};
	struct tx *tx = tx_begin(pg, tailnet, TX_WRITE);
	nodes_seen(tx, &id, 1, now, true);
	assert_int_equal(fixture_run(loop, tx, count_rows, &c, NULL), ERR_NONE);
	assert_int_equal(c.rows, 0);
	assert_true(get(id).last_seen.ns / 1000 == later.ns / 1000);
}

static unsigned mixed_left, mixed_failed;
static bool mixed_done;

static void count_mixed(enum err e)
{
	mixed_failed += e != ERR_NONE;
	mixed_done = --mixed_left == 0;
}

static void on_mixed(void *context, enum err e, struct tx *tx, const struct diag *why)
{
	(void)context, (void)tx, (void)why;
	count_mixed(e);
}

static void on_mixed_join(void *context, enum err e, const struct node *node, uint64_t generation, const struct diag *why)
{
	(void)context, (void)node, (void)generation, (void)why;
	count_mixed(e);
}

static struct tx *mixed_write(struct pg *on, unsigned n, const uint64_t *ids, size_t count)
{
	struct tx *tx = tx_begin(on, tailnet, TX_WRITE);
	struct node_report reports[8];
	struct bytes base = n % 2 ? BYTES("desk") : BYTES("lap");
	struct endpoint endpoint = {{IP_V4, {192, 0, 2, 1}}, (uint16_t)n};
	assert(count && count <= COUNT_OF(reports));
	for (size_t i = 0; i < count; i++)
		reports[i] = (struct node_report){.node = ids[n % 2 ? i : count - 1 - i],
						  .epoch = 1,
						  .has_endpoints = true,
						  .endpoints = &endpoint,
						  .endpoint_count = 1,
						  .at = clock_wall()};
	switch (n % 4) {
	case 0:
		nodes_report_add(tx, reports, count);
		break;
	case 1:
		nodes_seen(tx, ids, count, clock_wall(), true);
		break;
	case 2:
		nodes_relabel(tx, ids[n % count], base);
		break;
	default:
		nodes_set_expiry(tx, ids[n % count], WALL_ZERO);
	}
	return tx;
}

/* Reports, farewells, renames and joins at once: all pass, none is chosen as a deadlock's victim. */
static void writers_never_wait_in_a_circle(void **state)
{
	enum { NODES = 8, WRITES = 200 };
	uint64_t ids[NODES];
	(void)state;
	for (unsigned i = 0; i < NODES; i++)
		ids[i] = enroll(join_of((uint8_t)(i + 1), "pc")).node.id;
	mixed_left = WRITES + WRITES / 4;
	mixed_failed = 0;
	mixed_done = false;
	for (unsigned i = 0; i < WRITES; i++) {
		tx_run(mixed_write(i % 3 ? pg : other, i, ids, NODES), on_mixed, NULL);
		if (i % 4 == 0) {
			struct enrollment e = join_of((uint8_t)(20 + i / 4), "pc");
			nodes_enroll(i % 8 ? pg : other, tailnet, &e, on_mixed_join, NULL);
		}
	}
	assert_true(fixture_wait(loop, &mixed_done, 20000));
	assert_int_equal(mixed_failed, 0);
}

/* --- what time does ----------------------------------------------------------------------------------------------------------------------------------------------------------- */

struct due {
	bool done;
	size_t count;
	uint64_t node, tailnet;
};

static void on_due(void *context, enum err e, const struct nodes_due *due, size_t count)
{
	struct due *d = context;
	assert_int_equal(e, ERR_NONE);
	*d = (struct due){true, count, count ? due[0].node : 0, count ? due[0].tailnet : 0};
}

static void an_expiry_is_told_once(void **state)
{
	struct enrollment e = join_of(1, "a");
	struct wall now = clock_wall();
	(void)state;
	e.expiry = wall_add_ms(now, 1000);
	uint64_t id = enroll(e).node.id;
	enroll(join_of(2, "b"));
	struct due due = {0};
	nodes_find_expired(pg, now, 10, on_due, &due);
	assert_true(fixture_wait(loop, &due.done, 5000));
	assert_int_equal(due.count, 0);
	now = wall_add_ms(now, 2000);
	for (int time = 0; time < 3; time++) {
		due.done = false;
		nodes_find_expired(pg, now, 10, on_due, &due);
		assert_true(fixture_wait(loop, &due.done, 5000));
		assert_int_equal(due.count, time == 0);
		struct counted c = {0};
		struct tx *tx = tx_begin(pg, tailnet, TX_WRITE);
		c.statement = nodes_tell_expired(tx, &id, 1, now);
		assert_int_equal(fixture_run(loop, tx, count_rows, &c, NULL), ERR_NONE);
		assert_int_equal(c.rows, time == 0);
	}
	assert_string_equal(last_lines(), "node-expiry");
	/* Renewed, and passed again. */
	assert_int_equal(change(expire_it, id), ERR_NONE);
	due.done = false;
	nodes_find_expired(pg, now, 10, on_due, &due);
	assert_true(fixture_wait(loop, &due.done, 5000));
	assert_int_equal(due.count, 0);
}

static void silent_ephemeral_nodes_go_unless_they_came_back(void **state)
{
	struct enrollment e = join_of(1, "a");
	struct wall later = wall_add_ms(clock_wall(), 120000);
	struct due due = {0};
	struct counted c = {0};
	(void)state;
	e.ephemeral = true;
	uint64_t id = enroll(e).node.id;
	enroll(join_of(2, "b"));
	nodes_find_silent(pg, later, 10, on_due, &due);
	assert_true(fixture_wait(loop, &due.done, 5000));
	assert_true(due.count == 1 && due.node == id && due.tailnet == tailnet);
	struct tx *tx = tx_begin(pg, tailnet, TX_WRITE);
	nodes_seen(tx, &id, 1, wall_add_ms(later, 1), false);
	assert_int_equal(fixture_run(loop, tx, NULL, NULL, NULL), ERR_NONE);
	tx = tx_begin(pg, tailnet, TX_WRITE);
	c.statement = nodes_delete_silent(tx, &id, 1, later);
	assert_int_equal(fixture_run(loop, tx, count_rows, &c, NULL), ERR_NONE);
	assert_int_equal(c.rows, 0);
	tx = tx_begin(pg, tailnet, TX_WRITE);
	c.statement = nodes_delete_silent(tx, &id, 1, wall_add_ms(later, 5000));
	assert_int_equal(fixture_run(loop, tx, count_rows, &c, NULL), ERR_NONE);
	assert_int_equal(c.rows, 1);
	assert_string_equal(last_lines(), "node-removed");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_rekeyed_node_keeps_its_identity, nodes_fixture_open, nodes_fixture_close),
		cmocka_unit_test_setup_teardown(each_change_has_its_line, nodes_fixture_open, nodes_fixture_close),
		cmocka_unit_test_setup_teardown(reports_tell_only_what_differs, nodes_fixture_open, nodes_fixture_close),
		cmocka_unit_test_setup_teardown(being_seen_moves_forward_only, nodes_fixture_open, nodes_fixture_close),
		cmocka_unit_test_setup_teardown(writers_never_wait_in_a_circle, nodes_fixture_open, nodes_fixture_close),
		cmocka_unit_test_setup_teardown(an_expiry_is_told_once, nodes_fixture_open, nodes_fixture_close),
		cmocka_unit_test_setup_teardown(silent_ephemeral_nodes_go_unless_they_came_back, nodes_fixture_open, nodes_fixture_close),
	};
	return cmocka_run_group_tests(tests, nodes_fixture_start, nodes_fixture_stop);
}
