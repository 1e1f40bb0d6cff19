#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "authkeys.h"
#include "log.h"
#include "nodes.h"
#include "store_fixture.h"

static struct fixture *fx;
static struct loop *loop;
static struct pg *pg, *other; /* two pools: two coordinators */
static struct arena *arena;
static uint64_t tailnet, user;

static int set_up(void **state)
{
	(void)state;
	log_setup("nodes_test", LOG_ERROR, LOG_TEXT);
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
	pg = pg_new(loop, &(struct pg_config){fixture_coordinator(fx), true, 3, 1000, 10000});
	other = pg_new(loop, &(struct pg_config){fixture_coordinator(fx), true, 3, 1000, 10000});
	arena = arena_new();
	return 0;
}

static int end(void **state)
{
	(void)state;
	pg_free(&pg);
	pg_free(&other);
	arena_free(&arena);
	return 0;
}

/* --- joining ------------------------------------------------------------------------------------------------------------------------------------------------ */

static struct enrollment join_of(uint8_t n, const char *label)
{
	struct enrollment e = {.user = user,
			       .label = bytes_text(label),
			       .hostinfo = BYTES("{\"OS\":\"linux\"}"),
			       .capver = 113,
			       .expiry = WALL_ZERO,
			       .approved = true,
			       .register_method = REGISTER_AUTH_KEY};
	memset(e.machine_key.raw, n, KEY_LEN);
	memset(e.node_key.raw, n, KEY_LEN);
	e.node_key.raw[0] = 0xee;
	return e;
}

struct joined {
	bool done;
	enum err e;
	struct node node;
	uint64_t generation;
	struct diag why;
	unsigned *left;
	bool *all_done;
};

static void on_joined(void *context, enum err e, const struct node *node, uint64_t generation, const struct diag *why)
{
	struct joined *joined = context;
	joined->done = true;
	joined->e = e;
	joined->generation = generation;
	joined->why = *why;
	if (node)
		node_copy(arena, node, &joined->node);
	if (joined->left && --*joined->left == 0)
		*joined->all_done = true;
}

static struct joined enroll(struct enrollment e)
{
	struct joined joined = {0};
	nodes_enroll(pg, tailnet, &e, on_joined, &joined);
	assert_false(joined.done);
	assert_true(fixture_wait(loop, &joined.done, 10000));
	return joined;
}

static void a_join_takes_name_and_addresses(void **state)
{
	struct joined first = enroll(join_of(1, "laptop")), second = enroll(join_of(2, "laptop"));
	char text[IP_TEXT_MAX];
	(void)state;
	assert_int_equal(first.e, ERR_NONE);
	assert_true(bytes_equal_text(first.node.label, "laptop"));
	assert_true(bytes_equal_text(second.node.label, "laptop-1"));
	ip_format(text, first.node.ip4);
	assert_string_equal(text, "100.64.0.1");
	ip_format(text, second.node.ip6);
	assert_string_equal(text, "fd7a:115c:a1e0::2");
	assert_true(first.node.user == user && first.node.tailnet == tailnet && first.node.id != second.node.id);
	assert_true(bytes_equal_text(first.node.hostinfo, "{\"OS\":\"linux\"}"));
	assert_true(wall_is_zero(first.node.first_polled) && wall_is_zero(first.node.expiry) && !wall_is_zero(first.node.created));
	assert_int_equal(second.generation, first.generation + 1);
	/* The same node key again. */
	struct joined third = enroll(join_of(2, "laptop"));
	assert_int_equal(third.e, ERR_EXISTS);
	assert_string_equal(third.why.text, "the node key is in use");
	/* Nothing of it stays: neither a name nor a line. (An address number is not given back.) */
	assert_string_equal(fixture_sql(fx, "SELECT count(*) FROM fleetscale.nodes"), "2");
}

static void a_storm_gets_distinct_names_and_addresses(void **state)
{
	enum { JOINS = 100 };
	static struct joined joined[JOINS];
	unsigned left = JOINS;
	bool all_done = false;
	(void)state;
	for (unsigned i = 0; i < JOINS; i++) {
		struct enrollment e = join_of((uint8_t)(i + 1), "node");
		joined[i] = (struct joined){.left = &left, .all_done = &all_done};
		nodes_enroll(i % 2 ? pg : other, tailnet, &e, on_joined, &joined[i]);
	}
	assert_true(fixture_wait(loop, &all_done, 20000));
	for (unsigned i = 0; i < JOINS; i++)
		assert_int_equal(joined[i].e, ERR_NONE);
	assert_string_equal(fixture_sql(fx, "SELECT count(DISTINCT label) || ' ' || count(DISTINCT ip4) || ' ' || count(DISTINCT ip6) FROM fleetscale.nodes"),
			    "100 100 100");
	assert_string_equal(fixture_sql(fx, "SELECT count(*) FROM fleetscale.nodes WHERE label ~ '^node(-[1-9]|-[1-9][0-9])?$'"), "100");
	/* Fewer commits than joins, and a line for each. */
	assert_string_equal(
		fixture_sql(fx, "SELECT count(*) || ' ' || (count(DISTINCT generation) < 50)::text FROM fleetscale.journal WHERE kind = 'node-added'"),
		"100 true");
}

static void one_bad_join_leaves_its_group_alone(void **state)
{
	struct joined joined[5];
	unsigned left = 5;
	bool all_done = false;
	struct enrollment e[5];
	(void)state;
	for (unsigned i = 0; i < 5; i++) {
		e[i] = join_of((uint8_t)(i + 1), "pc");
		joined[i] = (struct joined){.left = &left, .all_done = &all_done};
	}
	e[1].node_key = e[0].node_key;
	e[2].user = 987654;
	e[3].hostinfo = bytes_of("{\"x\":\"\xff\"}", 9);
	for (unsigned i = 0; i < 5; i++)
		nodes_enroll(pg, tailnet, &e[i], on_joined, &joined[i]);
	assert_true(fixture_wait(loop, &all_done, 10000));
	assert_int_equal(joined[0].e, ERR_NONE);
	assert_int_equal(joined[1].e, ERR_EXISTS);
	assert_int_equal(joined[2].e, ERR_NOT_FOUND);
	assert_int_equal(joined[3].e, ERR_MALFORMED);
	assert_int_equal(joined[4].e, ERR_NONE);
	assert_string_equal(fixture_sql(fx, "SELECT count(*) FROM fleetscale.journal WHERE kind = 'node-added'"), "2");
	struct joined nowhere = {0};
	nodes_enroll(pg, 424242, &e[4], on_joined, &nowhere);
	assert_true(fixture_wait(loop, &nowhere.done, 10000));
	assert_int_equal(nowhere.e, ERR_NOT_FOUND);
}

static void a_full_range_says_so_and_freed_addresses_come_again(void **state)
{
	(void)state;
	fixture_sql(fx, "UPDATE fleetscale.tailnets SET range4 = '100.64.7.0/29', range6 = 'fd7a:115c:a1e0:7::/125'");
	for (uint8_t i = 1; i <= 6; i++)
		assert_int_equal(enroll(join_of(i, "n")).e, ERR_NONE);
	struct joined full = enroll(join_of(7, "n"));
	assert_int_equal(full.e, ERR_EXHAUSTED);
	assert_string_equal(full.why.text, "the address range 100.64.7.0/29 of this tailnet is full");
	assert_int_equal(enroll(join_of(7, "n")).e, ERR_EXHAUSTED);
	fixture_sql(fx, "DELETE FROM fleetscale.nodes WHERE ip4 = '100.64.7.3'");
	full = enroll(join_of(7, "n"));
	assert_int_equal(full.e, ERR_NONE);
	assert_int_equal(full.node.ip4.byte[3], 3);
	assert_int_equal(full.node.ip6.byte[15], 3);
	fixture_sql(fx, "DELETE FROM fleetscale.nodes WHERE ip4 IN ('100.64.7.1', '100.64.7.6')");
	assert_int_equal(enroll(join_of(8, "n")).e, ERR_NONE);
	assert_int_equal(enroll(join_of(9, "n")).e, ERR_NONE);
	assert_int_equal(enroll(join_of(10, "n")).e, ERR_EXHAUSTED);
}

/* --- keys ------------------------------------------------------------------------------------------------------------------------------------------------------- */

static uint64_t made_id;

static void see_key(void *context, struct tx *tx)
{
	struct authkey *keys;
	(void)context;
	assert_int_equal(authkeys_read(tx, 0, arena, &keys), 1);
	made_id = keys->id;
}

static uint64_t make_key(struct secret *secret, bool reusable)
{
	struct tx *tx = tx_begin(pg, tailnet, TX_WRITE);
	struct authkey key = {.user = user, .reusable = reusable, .expiry = WALL_ZERO};
	secret_mint(SECRET_AUTH, secret);
	memcpy(key.prefix, secret->prefix, sizeof key.prefix);
	memcpy(key.hash, secret->hash, sizeof key.hash);
	authkeys_insert(tx, &key);
	assert_int_equal(fixture_run(loop, tx, see_key, NULL, NULL), ERR_NONE);
	return made_id;
}

static void a_one_shot_key_lets_one_in(void **state)
{
	enum { RIVALS = 10 };
	struct joined joined[RIVALS];
	struct secret secret;
	unsigned left = RIVALS, in = 0;
	bool all_done = false;
	uint64_t key = make_key(&secret, false);
	(void)state;
	for (unsigned i = 0; i < RIVALS; i++) {
		struct enrollment e = join_of((uint8_t)(i + 1), "n");
		e.authkey = key;
		e.consume_key = true;
		joined[i] = (struct joined){.left = &left, .all_done = &all_done};
		nodes_enroll(i % 2 ? pg : other, tailnet, &e, on_joined, &joined[i]);
	}
	assert_true(fixture_wait(loop, &all_done, 10000));
	for (unsigned i = 0; i < RIVALS; i++) {
		in += joined[i].e == ERR_NONE;
		assert_true(joined[i].e == ERR_NONE || joined[i].e == ERR_EXHAUSTED);
	}
	assert_int_equal(in, 1);
	assert_string_equal(fixture_sql(fx, "SELECT count(*) FROM fleetscale.nodes"), "1");
	/* Revoked meanwhile. */
	key = make_key(&secret, true);
	fixture_sql(fx, "UPDATE fleetscale.authkeys SET revoked = now()");
	struct enrollment e = join_of(99, "n");
	e.authkey = key;
	struct joined late = enroll(e);
	assert_int_equal(late.e, ERR_EXHAUSTED);
	assert_string_equal(late.why.text, "invalid key: it was revoked");
	e.authkey = 555;
	assert_int_equal(enroll(e).e, ERR_NOT_FOUND);
}

/* --- what registering asks ------------------------------------------------------------------------------------------------------------------------------------------ */

struct asked {
	bool done;
	enum err e;
	const struct nodes_known *k;
};

static void on_known(void *context, enum err e, const struct nodes_known *known)
{
	struct asked *asked = context;
	*asked = (struct asked){true, e, known};
}

static const struct nodes_known *ask(struct nodes_question q)
{
	struct asked asked = {0};
	nodes_find_for_register(pg, &q, arena, on_known, &asked);
	assert_false(asked.done);
	assert_true(fixture_wait(loop, &asked.done, 10000));
	assert_int_equal(asked.e, ERR_NONE);
	return asked.k;
}

static void one_reading_tells_all_that_admission_wants(void **state)
{
	struct secret secret, guess;
	struct enrollment e = join_of(1, "laptop");
	(void)state;
	e.authkey = make_key(&secret, false);
	e.consume_key = true;
	struct joined in = enroll(e);
	struct nodes_question q = {.machine_key = e.machine_key, .node_key = e.node_key, .secret = &secret};
	const struct nodes_known *k = ask(q);
	assert_true(k->known.by_node_key && k->known.by_node_key->id == in.node.id);
	/* One node, one struct. */
	assert_ptr_equal(k->known.by_owner, k->known.by_node_key);
	assert_true(k->known.authkey && k->known.authkey->used_by == in.node.id);
	assert_true(k->known.key_unpolled_by == in.node.id);
	assert_true(k->by_node_key.user && bytes_equal_text(k->by_node_key.user->name, "default"));
	assert_true(k->key_user && k->key_user->id == user);
	assert_true(bytes_equal_text(k->key_tailnet->domain, "default.fleet.test"));
	assert_true(k->lifetime_ms == 15552000000);
	/* The same machine under a new node key, its old one told. */
	q.old_node_key = q.node_key;
	q.node_key.raw[5] ^= 1;
	k = ask(q);
	assert_null(k->known.by_node_key);
	assert_true(k->known.by_old_key && k->known.by_old_key->id == in.node.id);
	assert_ptr_equal(k->known.by_owner, k->known.by_old_key);
	/* Another machine learns of the node key, but nothing by the old one or the owner. */
	q.machine_key.raw[3] ^= 1;
	k = ask(q);
	assert_null(k->known.by_old_key);
	assert_null(k->known.by_owner);
	q.node_key = e.node_key;
	assert_non_null(ask(q)->known.by_node_key);
	/* The right prefix with the wrong secret is no key. */
	q.machine_key = e.machine_key;
	guess = secret;
	guess.hash[0] ^= 1;
	q.secret = &guess;
	k = ask(q);
	assert_null(k->known.authkey);
	assert_null(k->known.by_owner);
	assert_null(k->key_user);
	/* Without a key. */
	q.secret = NULL;
	k = ask(q);
	assert_non_null(k->known.by_node_key);
	assert_true(k->lifetime_ms == 15552000000);
	/* Its first map went out: the key is spent for good. */
	struct tx *tx = tx_begin(pg, tailnet, TX_WRITE);
	nodes_polled(tx, &in.node.id, 1, clock_wall());
	assert_int_equal(fixture_run(loop, tx, NULL, NULL, NULL), ERR_NONE);
	q.secret = &secret;
	assert_true(ask(q)->known.key_unpolled_by == 0);
}

struct placed {
	bool done;
	enum err e;
	struct nodes_place place;
	uint64_t epoch;
	bool allowed;
};

static void on_place(void *context, enum err e, const struct nodes_place *place, uint64_t epoch)
{
	*(struct placed *)context = (struct placed){true, e, *place, epoch, false};
}

static void on_verified(void *context, enum err e, bool allowed)
{
	*(struct placed *)context = (struct placed){.done = true, .e = e, .allowed = allowed};
}

static bool verify(const struct node_key *key)
{
	struct placed v = {0};
	nodes_verify(pg, key, on_verified, &v);
	assert_true(fixture_wait(loop, &v.done, 10000));
	assert_int_equal(v.e, ERR_NONE);
	return v.allowed;
}

static void a_node_is_found_by_its_key(void **state)
{
	struct enrollment e = join_of(1, "laptop");
	struct joined in = enroll(e);
	struct placed a = {0}, b = {0}, c = {0};
	struct node_key stranger = {{1, 2, 3}};
	(void)state;
	nodes_find(pg, &e.node_key, true, arena, on_place, &a);
	nodes_find(pg, &e.node_key, true, arena, on_place, &b);
	nodes_find(pg, &stranger, false, arena, on_place, &c);
	assert_true(fixture_wait(loop, &a.done, 5000) && fixture_wait(loop, &b.done, 5000) && fixture_wait(loop, &c.done, 5000));
	assert_true(a.place.node->id == in.node.id && a.place.tailnet->id == tailnet && a.place.user->id == user);
	assert_true(a.epoch && b.epoch && a.epoch != b.epoch);
	assert_null(c.place.node);
	assert_true(c.epoch == 0);
	assert_true(verify(&e.node_key));
	assert_false(verify(&stranger));
	fixture_sql(fx, "UPDATE fleetscale.nodes SET expiry = now() - interval '1 second'");
	assert_false(verify(&e.node_key));
	fixture_sql(fx, "UPDATE fleetscale.nodes SET expiry = NULL, approved = false");
	assert_false(verify(&e.node_key));
}

/* --- changes ------------------------------------------------------------------------------------------------------------------------------------------------------------ */

static struct node seen;

static void see_node(void *context, struct tx *tx)
{
	struct node *nodes;
	assert_int_equal(nodes_read(tx, *(unsigned *)context, arena, &nodes), 1);
	seen = nodes[0];
}

static const char *last_lines(void)
{
	return fixture_sql(fx, "SELECT string_agg(kind, ' ' ORDER BY seq) FROM fleetscale.journal j JOIN fleetscale.generations g USING (tailnet_id, "
			       "generation) WHERE tailnet_id > 0");
}

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
static const struct bytes a_tag = {(const uint8_t *)"tag:a", 5};
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
		cmocka_unit_test_setup_teardown(a_join_takes_name_and_addresses, fresh, end),
		cmocka_unit_test_setup_teardown(a_storm_gets_distinct_names_and_addresses, fresh, end),
		cmocka_unit_test_setup_teardown(one_bad_join_leaves_its_group_alone, fresh, end),
		cmocka_unit_test_setup_teardown(a_full_range_says_so_and_freed_addresses_come_again, fresh, end),
		cmocka_unit_test_setup_teardown(a_one_shot_key_lets_one_in, fresh, end),
		cmocka_unit_test_setup_teardown(one_reading_tells_all_that_admission_wants, fresh, end),
		cmocka_unit_test_setup_teardown(a_node_is_found_by_its_key, fresh, end),
		cmocka_unit_test_setup_teardown(a_rekeyed_node_keeps_its_identity, fresh, end),
		cmocka_unit_test_setup_teardown(each_change_has_its_line, fresh, end),
		cmocka_unit_test_setup_teardown(reports_tell_only_what_differs, fresh, end),
		cmocka_unit_test_setup_teardown(being_seen_moves_forward_only, fresh, end),
		cmocka_unit_test_setup_teardown(writers_never_wait_in_a_circle, fresh, end),
		cmocka_unit_test_setup_teardown(an_expiry_is_told_once, fresh, end),
		cmocka_unit_test_setup_teardown(silent_ephemeral_nodes_go_unless_they_came_back, fresh, end),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
