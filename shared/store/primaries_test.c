#include "primaries.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "nodes_fixture.h"
#include "tailnets.h"

enum { NODES = 3 };

static uint64_t node[NODES];

static struct prefix prefix_of(const char *text)
{
	struct prefix prefix;
	assert_int_equal(prefix_parse(bytes_text(text), &prefix), ERR_NONE);
	return prefix;
}

/* Nodes that offer 10.0.0.0/8 and the exit routes. */
static void make_routers(void)
{
	static const char *const labels[NODES] = {"one", "two", "three"};
	struct prefix routes[] = {prefix_of("10.0.0.0/8"), prefix_of("0.0.0.0/0"), prefix_of("::/0")};
	for (unsigned i = 0; i < NODES; i++) {
		struct enrollment e = join_of((uint8_t)(i + 1), labels[i]);
		e.routes = routes;
		e.route_count = COUNT_OF(routes);
		node[i] = enroll(e).node.id;
	}
}

static void approve(unsigned i, const char *route)
{
	struct prefix routes[] = {prefix_of("0.0.0.0/0"), prefix_of("::/0"), prefix_of(route ? route : "::/0")};
	struct tx *tx = tx_begin(pg, tailnet, TX_WRITE);
	nodes_approve_routes(tx, node[i], routes, route ? 3 : 2);
	assert_int_equal(fixture_run(loop, tx, NULL, NULL, NULL), ERR_NONE);
}

/* The label of 10.0.0.0/8's router, by its row; by the nodes' own columns it must be the same. */
static void assert_primary(const char *label)
{
	char was[64];
	snprintf(was, sizeof was, "%s",
		 fixture_sql(fx, "SELECT string_agg(n.label, ' ') FROM fleetscale.primaries p JOIN fleetscale.nodes n ON n.id = p.node_id"));
	assert_string_equal(was, label);
	assert_string_equal(fixture_sql(fx, "SELECT string_agg(label, ' ') FROM fleetscale.nodes WHERE routes_primary = '{10.0.0.0/8}'"), label);
	assert_string_equal(fixture_sql(fx, "SELECT count(*) FROM fleetscale.nodes WHERE routes_primary NOT IN ('{}', '{10.0.0.0/8}')"), "0");
}

static void one_router_serves_at_once(void **state)
{
	(void)state;
	make_routers();
	assert_primary("");
	approve(0, "10.0.0.0/8");
	assert_primary("one");
	assert_string_equal(last_lines(), "node-routes");
	approve(1, "10.0.0.0/8");
	assert_primary("one");
	/* The next takes over in the same commit, and both are told of. */
	approve(0, NULL);
	assert_primary("two");
	assert_string_equal(fixture_sql(fx,
					"SELECT count(DISTINCT subject) FROM fleetscale.journal j JOIN fleetscale.generations g USING (tailnet_id, generation) "
					"WHERE tailnet_id > 0 AND kind = 'node-routes'"),
			    "2");
}

static void what_ends_a_router_moves_its_route(void **state)
{
	(void)state;
	static const char *const ends[] = {"UPDATE fleetscale.nodes SET approved = false WHERE label = 'one'",
					   "UPDATE fleetscale.nodes SET expiry = now() - interval '1 s', expiry_told = NULL WHERE label = 'one'",
					   "UPDATE fleetscale.nodes SET routes_advertised = '{}' WHERE label = 'one'",
					   "DELETE FROM fleetscale.nodes WHERE label = 'one'"};
	for (size_t i = 0; i < COUNT_OF(ends); i++) {
		if (i) {
			nodes_fixture_close(NULL);
			nodes_fixture_open(NULL);
		}
		make_routers();
		for (unsigned n = 0; n < NODES; n++)
			approve(n, "10.0.0.0/8");
		fixture_sql(fx, "UPDATE fleetscale.nodes SET unreachable = true WHERE label = 'two'");
		assert_primary("one");
		const char *value;
		char sql[256];
		snprintf(sql, sizeof sql, "WITH w AS (%s RETURNING 1) SELECT count(*) FROM w", ends[i]);
		assert_string_equal(fixture_sql_as(fx, "fleetscale_coordinator", tailnet, sql, &value), "");
		assert_string_equal(value, "1");
		assert_primary("three"); /* who does not answer comes last */
	}
}

static void see_contest(void *context, enum err e, const struct primaries_contest *contests, size_t count)
{
	assert_int_equal(e, ERR_NONE);
	assert_int_equal(count, NODES);
	for (size_t i = 0; i < count; i++) {
		assert_true(contests[i].tailnet == tailnet && contests[i].router.node == node[i]);
		assert_true(contests[i].router.is_primary == (i == 0) && contests[i].router.unreachable == (i == 2));
		assert_int_equal(prefix_compare(contests[i].route, prefix_of("10.0.0.0/8")), 0);
	}
	*(bool *)context = true;
}

static enum err move(uint64_t was, uint64_t chosen)
{
	struct tx *tx = tx_begin(pg, tailnet, TX_WRITE);
	primaries_move(tx, prefix_of("10.0.0.0/8"), was, chosen);
	return fixture_run(loop, tx, NULL, NULL, NULL);
}

static void the_duty_moves(void **state)
{
	(void)state;
	bool done = false;
	make_routers();
	for (unsigned n = 0; n < NODES; n++)
		approve(n, "10.0.0.0/8");
	struct tx *tx = tx_begin(pg, tailnet, TX_WRITE);
	primaries_set_unreachable(tx, node[2], true);
	assert_int_equal(fixture_run(loop, tx, NULL, NULL, NULL), ERR_NONE);
	primaries_find_contested(pg, 100, see_contest, &done);
	assert_true(fixture_wait(loop, &done, 10000));
	assert_int_equal(move(node[1], node[2]), ERR_CONFLICT);
	assert_primary("one");
	assert_int_equal(move(node[0], node[1]), ERR_NONE);
	assert_primary("two");
	assert_int_equal(move(node[0], node[2]), ERR_CONFLICT);
	approve(2, NULL);
	assert_int_equal(move(node[1], node[2]), ERR_CONFLICT);
	assert_primary("two");
}

/* Nodes that came in while it was emptied. */
static void a_tailnet_goes_with_its_routers(void **state)
{
	(void)state;
	make_routers();
	for (unsigned i = 0; i < NODES; i++)
		approve(i, "10.0.0.0/8");
	struct tx *tx = tx_begin(pg, TAILNET_INSTALLATION, TX_WRITE);
	tailnets_delete(tx, tailnet, true);
	assert_int_equal(fixture_run(loop, tx, NULL, NULL, NULL), ERR_NONE);
	assert_string_equal(fixture_sql(fx, "SELECT (SELECT count(*) FROM fleetscale.nodes) + (SELECT count(*) FROM fleetscale.primaries)"), "0");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, nodes_fixture_open, nodes_fixture_close)

int main(void)
{
	const struct CMUnitTest tests[] = {TEST(one_router_serves_at_once), TEST(what_ends_a_router_moves_its_route), TEST(the_duty_moves),
					   TEST(a_tailnet_goes_with_its_routers)};
	return cmocka_run_group_tests(tests, nodes_fixture_start, nodes_fixture_stop);
}
