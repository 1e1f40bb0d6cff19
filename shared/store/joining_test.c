#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "authkeys.h"
#include "nodes_fixture.h"

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

static struct prefix pool_of(const char *text)
{
	struct prefix prefix;
	assert_int_equal(prefix_parse(bytes_text(text), &prefix), ERR_NONE);
	return prefix;
}

static struct joined enroll_in(uint8_t number, const struct prefix *pools, size_t count)
{
	struct enrollment e = join_of(number, "n");
	e.pools = pools;
	e.pool_count = count;
	return enroll(e);
}

static void addresses_come_from_pools(void **state)
{
	(void)state;
	struct prefix pools[] = {pool_of("100.81.0.4/31"), pool_of("100.81.1.0/32")}, outside = pool_of("100.120.0.0/16"), wide = pool_of("100.64.0.0/10");
	static const char *const wanted[] = {"100.81.0.4", "100.81.0.5", "100.81.1.0"};
	char text[IP_TEXT_MAX];
	for (size_t i = 0; i < COUNT_OF(wanted); i++) {
		struct joined in = enroll_in((uint8_t)(i + 1), pools, 2);
		assert_int_equal(in.e, ERR_NONE);
		ip_format(text, in.node.ip4);
		assert_string_equal(text, wanted[i]);
	}
	const char *before = arena_text(arena, bytes_text(fixture_sql(fx, "SELECT count(*) || ' ' || (SELECT generation FROM fleetscale.generations WHERE "
									  "tailnet_id > 0 LIMIT 1) FROM fleetscale.nodes")));
	struct joined full = enroll_in(9, pools, 2);
	assert_int_equal(full.e, ERR_EXHAUSTED);
	assert_string_equal(full.why.text, "the address pool 100.81.0.4/31, 100.81.1.0/32 that the policy gives this node is full");
	assert_string_equal(fixture_sql(fx, "SELECT count(*) || ' ' || (SELECT generation FROM fleetscale.generations WHERE tailnet_id > 0 LIMIT 1) "
					    "FROM fleetscale.nodes"),
			    before);
	/* Freed ones come again; a pool may be wider than the range, but gives nothing outside. */
	fixture_sql(fx, "DELETE FROM fleetscale.nodes WHERE ip4 = '100.81.0.5'");
	full = enroll_in(9, pools, 2);
	assert_int_equal(full.e, ERR_NONE);
	assert_int_equal(full.node.ip4.byte[3], 5);
	fixture_sql(fx, "UPDATE fleetscale.tailnets SET range4 = '100.64.7.0/30'");
	assert_int_equal(enroll_in(10, &outside, 1).e, ERR_EXHAUSTED);
	for (uint8_t i = 1; i <= 2; i++) {
		full = enroll_in((uint8_t)(10 + i), &wide, 1);
		assert_int_equal(full.e, ERR_NONE);
		assert_int_equal(full.node.ip4.byte[3], i);
	}
	assert_int_equal(enroll_in(13, &wide, 1).e, ERR_EXHAUSTED);
}

/* What is never given out is in no pool either, and a search goes over pieces. */
static void pools_pass_over_what_is_reserved(void **state)
{
	(void)state;
	struct prefix pool = pool_of("100.100.100.100/31"), blocked = pool_of("100.115.92.0/23"), wide = pool_of("100.96.0.0/18");
	struct joined in = enroll_in(1, &pool, 1);
	assert_int_equal(in.e, ERR_NONE);
	assert_int_equal(in.node.ip4.byte[3], 101);
	assert_int_equal(enroll_in(2, &pool, 1).e, ERR_EXHAUSTED);
	assert_int_equal(enroll_in(2, &blocked, 1).e, ERR_EXHAUSTED);
	fixture_sql(fx, "INSERT INTO fleetscale.nodes (tailnet_id, user_id, machine_key, node_key, label, ip4, ip6) SELECT n.tailnet_id, n.user_id, "
			"n.machine_key, sha256(i::text::bytea), 'm' || i, inet '100.96.0.0' + i, inet 'fd7a:115c:a1e0::1:0' + i "
			"FROM fleetscale.nodes n, generate_series(0, 9999) AS i");
	in = enroll_in(3, &wide, 1);
	assert_int_equal(in.e, ERR_NONE);
	assert_true(in.node.ip4.byte[2] == 9999 / 256 && in.node.ip4.byte[3] == 9999 % 256 + 1);
}

/* The cursor of the range goes on in order, over what a pool gave out ahead of it. */
static void the_range_goes_over_what_a_pool_gave(void **state)
{
	(void)state;
	struct joined first = enroll(join_of(1, "n"));
	struct prefix next = {ip_add(first.node.ip4, 1), 32};
	assert_int_equal(enroll_in(2, &next, 1).e, ERR_NONE);
	struct joined third = enroll(join_of(3, "n"));
	assert_int_equal(third.e, ERR_NONE);
	assert_true(ip_equal(third.node.ip4, ip_add(first.node.ip4, 2)));
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

/* Of several at once exactly as many as the key is good for; a machine that comes back is not counted again. */
static void a_limited_key_counts_machines(void **state)
{
	(void)state;
	enum { JOINS = 6, MOST = 3 };
	struct joined joined[JOINS] = {0};
	struct secret secret;
	uint64_t key = make_key(&secret, true);
	unsigned left = JOINS, in = 0;
	bool done = false;
	char sql[128];
	snprintf(sql, sizeof sql, "WITH w AS (UPDATE fleetscale.authkeys SET uses_most = %d RETURNING 1) SELECT count(*) FROM w", MOST);
	fixture_sql(fx, sql);
	for (unsigned i = 0; i < JOINS; i++) {
		struct enrollment e = join_of((uint8_t)(i + 1), "limited");
		e.authkey = key;
		joined[i].left = &left;
		joined[i].all_done = &done;
		nodes_enroll(i % 2 ? pg : other, tailnet, &e, on_joined, &joined[i]);
	}
	assert_true(fixture_wait(loop, &done, 10000));
	for (unsigned i = 0; i < JOINS; i++) {
		in += joined[i].e == ERR_NONE;
		assert_true(joined[i].e == ERR_NONE || joined[i].e == ERR_EXHAUSTED);
	}
	assert_int_equal(in, MOST);
	assert_string_equal(fixture_sql(fx, "SELECT uses FROM fleetscale.authkeys"), "3");
	assert_string_equal(fixture_sql(fx, "WITH w AS (UPDATE fleetscale.nodes SET authkey_id = authkey_id RETURNING 1) SELECT count(*) FROM w"), "3");
	assert_string_equal(fixture_sql(fx, "SELECT uses FROM fleetscale.authkeys"), "3");
}

struct mover {
	bool done;
	enum err e;
};

static void on_moved(void *context, enum err e, struct tx *tx, const struct diag *why)
{
	struct mover *mover = context;
	(void)tx;
	(void)why;
	mover->e = e;
	mover->done = true;
}

/* Who moves a known machine to the key holds the key first and the tailnet last: a join that took them the other way round would wait for it in a circle. */
static void a_limited_key_is_taken_before_the_tailnet(void **state)
{
	(void)state;
	struct secret secret;
	uint64_t key = make_key(&secret, true);
	struct joined joined = {0};
	struct mover mover = {0};
	bool never = false;
	fixture_sql(fx, "WITH w AS (UPDATE fleetscale.authkeys SET uses_most = 5 RETURNING 1) SELECT count(*) FROM w");
	assert_int_equal(enroll(join_of(1, "known")).e, ERR_NONE);
	struct tx *tx = tx_begin(other, tailnet, TX_WRITE);
	tx_arg_u64(tx, key);
	tx_add(tx, "UPDATE fleetscale.nodes SET authkey_id = $1");
	tx_add(tx, "SELECT pg_sleep(0.6)");
	tx_journal(tx, CHANGE_USER, user);
	tx_run(tx, on_moved, &mover);
	(void)fixture_wait(loop, &never, 300);
	struct enrollment e = join_of(2, "new");
	e.authkey = key;
	e.counted_key = true;
	nodes_enroll(pg, tailnet, &e, on_joined, &joined);
	assert_true(fixture_wait(loop, &joined.done, 10000) && fixture_wait(loop, &mover.done, 10000));
	assert_int_equal(mover.e, ERR_NONE);
	assert_int_equal(joined.e, ERR_NONE);
	assert_string_equal(fixture_sql(fx, "SELECT uses FROM fleetscale.authkeys"), "2");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_join_takes_name_and_addresses, nodes_fixture_open, nodes_fixture_close),
		cmocka_unit_test_setup_teardown(a_storm_gets_distinct_names_and_addresses, nodes_fixture_open, nodes_fixture_close),
		cmocka_unit_test_setup_teardown(one_bad_join_leaves_its_group_alone, nodes_fixture_open, nodes_fixture_close),
		cmocka_unit_test_setup_teardown(a_full_range_says_so_and_freed_addresses_come_again, nodes_fixture_open, nodes_fixture_close),
		cmocka_unit_test_setup_teardown(addresses_come_from_pools, nodes_fixture_open, nodes_fixture_close),
		cmocka_unit_test_setup_teardown(pools_pass_over_what_is_reserved, nodes_fixture_open, nodes_fixture_close),
		cmocka_unit_test_setup_teardown(the_range_goes_over_what_a_pool_gave, nodes_fixture_open, nodes_fixture_close),
		cmocka_unit_test_setup_teardown(a_one_shot_key_lets_one_in, nodes_fixture_open, nodes_fixture_close),
		cmocka_unit_test_setup_teardown(a_limited_key_counts_machines, nodes_fixture_open, nodes_fixture_close),
		cmocka_unit_test_setup_teardown(a_limited_key_is_taken_before_the_tailnet, nodes_fixture_open, nodes_fixture_close),
	};
	return cmocka_run_group_tests(tests, nodes_fixture_start, nodes_fixture_stop);
}
