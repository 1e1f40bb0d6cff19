/* What relays find when they probe each other: rows for each pair, whom they shall probe, and where a prober's key is allowed. Against a PostgreSQL of its own. */
#include "relayprobes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "nodes_fixture.h"

static struct relay_token token;
static uint64_t ids[3]; /* one, two, three: of one region, by its token */

struct seen {
	unsigned statement;
	uint64_t id;
	size_t count;
	struct relayprobe *probes;
	struct relay *relays;
};

static void see_id(void *context, struct tx *tx)
{
	struct seen *s = context;
	s->id = tx_u64(tx, s->statement, 0, 0);
}

static void see_probes(void *context, struct tx *tx)
{
	struct seen *s = context;
	s->count = relayprobes_read(tx, s->statement, arena, &s->probes);
}

static void see_relays(void *context, struct tx *tx)
{
	struct seen *s = context;
	s->count = relays_read(tx, s->statement, arena, &s->relays);
}

static uint64_t announce(const char *name)
{
	struct relay said = {.version = BYTES("0.1"), .node = {.name = bytes_text(name), .host_name = bytes_text(name)}};
	struct tx *tx = tx_begin(pg, 0, TX_WRITE);
	struct seen s = {.statement = relays_announce(tx, &token, &said)};
	assert_int_equal(fixture_run(loop, tx, see_id, &s, NULL), ERR_NONE);
	return s.id;
}

static void three_relays(void)
{
	struct secret secret;
	struct tx *tx = tx_begin(pg, 0, TX_WRITE);
	struct seen s = {0};
	secret_mint(SECRET_RELAY, &secret);
	regions_insert(tx, &(struct relay_region){.id = 900, .code = BYTES("x"), .name = BYTES("X")});
	s.statement = relay_tokens_insert(tx, &(struct relay_token){.region = 900}, &secret);
	assert_int_equal(fixture_run(loop, tx, see_id, &s, NULL), ERR_NONE);
	token = (struct relay_token){.id = s.id, .region = 900};
	ids[0] = announce("one");
	ids[1] = announce("two");
	ids[2] = announce("three");
}

static void put(const char *name, uint8_t key, const struct relayprobe *probes, size_t count)
{
	struct node_key k = {.raw = {key, 1}};
	struct tx *tx = tx_begin(pg, 0, TX_WRITE);
	struct diag why = {.text = ""};
	relayprobes_put(tx, &token, bytes_text(name), &k, probes, count);
	enum err e = fixture_run(loop, tx, NULL, NULL, &why);
	assert_string_equal(e ? why.text : "", "");
}

static struct seen page(uint64_t from, uint64_t to, unsigned limit)
{
	struct tx *tx = tx_begin(pg, 0, TX_READ);
	struct seen s = {.statement = relayprobes_page(tx, from, to, limit)};
	assert_int_equal(fixture_run(loop, tx, see_probes, &s, NULL), ERR_NONE);
	return s;
}

static struct relayprobe good(uint64_t to, uint64_t age_ms)
{
	return (struct relayprobe){
		.to = to, .age_ms = age_ms, .relay = BYTES("ok"), .stun = BYTES("lost"), .mesh = BYTES(""), .connect_us = 3000, .trip_us = 1, .stun_us = 0};
}

static void a_row_for_each_pair(void **state)
{
	(void)state;
	three_relays();
	/* Itself, one that is not there, one twice: of these one row. */
	put("one", 1, (struct relayprobe[]){good(ids[0], 0), good(ids[1], 60000), good(ids[1], 60000), good(ids[2] + 100, 0)}, 4);
	put("two", 2, (struct relayprobe[]){good(ids[0], 0), good(ids[2], 0)}, 2);
	struct seen s = page(0, 0, 100);
	assert_int_equal(s.count, 3);
	assert_int_equal(s.probes[0].from, ids[0]);
	assert_int_equal(s.probes[0].to, ids[1]);
	assert_true(bytes_equal_text(s.probes[0].to_name, "two") && bytes_equal_text(s.probes[0].relay, "ok") && bytes_equal_text(s.probes[0].stun, "lost"));
	assert_int_equal(s.probes[0].to_region, 900);
	assert_int_equal(s.probes[0].connect_us, 3000);
	assert_int_equal(s.probes[0].stun_us, 0);
	assert_true(s.probes[1].at.ns - s.probes[0].at.ns > 55 * INT64_C(1000000000));
	/* The next one takes its place; none is none. */
	struct relayprobe worse = good(ids[1], 0);
	worse.relay = BYTES("unreachable");
	worse.connect_us = worse.trip_us = 0;
	put("one", 1, &worse, 1);
	put("one", 1, NULL, 0);
	s = page(0, 0, 100);
	assert_int_equal(s.count, 3);
	assert_true(bytes_equal_text(s.probes[0].relay, "unreachable") && !s.probes[0].connect_us);
	assert_int_equal(page(0, 0, 1).count, 1);
	assert_int_equal(page(ids[0], ids[0], 100).count, 3);
	assert_int_equal(page(ids[0], ids[1], 100).count, 2);
	assert_int_equal(page(ids[1], ids[2], 100).count, 0);
	/* Gone with either. */
	for (unsigned times = 0; times < 2; times++) {
		struct tx *tx = tx_begin(pg, 0, TX_WRITE);
		relays_remove(tx, ids[1]);
		(void)fixture_run(loop, tx, NULL, NULL, NULL);
	}
	assert_int_equal(page(0, 0, 100).count, 0);
}

static struct seen sources(uint64_t from, uint64_t to, unsigned limit)
{
	struct tx *tx = tx_begin(pg, 0, TX_READ);
	struct seen s = {.statement = relays_of_probes(tx, from, to, limit)};
	assert_int_equal(fixture_run(loop, tx, see_relays, &s, NULL), ERR_NONE);
	return s;
}

/* Pages are of pairs: as long as they are asked for however many relays there are, each pair on one, and beside each page whose figures they are. */
static void pages_of_a_large_fleet(void **state)
{
	enum { RELAYS = 300, PAGE = 1000 };
	unsigned count = 0;
	(void)state;
	three_relays();
	fixture_sql(fx, "INSERT INTO fleetscale.relays (region_id, name) SELECT 900, 'r' || n FROM generate_series(4, 300) n");
	fixture_sql(fx, "INSERT INTO fleetscale.relay_probes (from_id, to_id, at, relay, stun, mesh) SELECT a.id, b.id, now(), 'ok', '', '' "
			"FROM fleetscale.relays a JOIN fleetscale.relays b ON a.id <> b.id");
	/* Those that have gone do not fill a page. */
	fixture_sql(fx, "INSERT INTO fleetscale.relay_probes (from_id, to_id, at, relay, stun, mesh) SELECT a.id, b, now(), 'ok', '', '' "
			"FROM fleetscale.relays a, generate_series(-20, 0) b");
	for (uint64_t from = 0, to = 0;;) {
		struct seen s = page(from, to, PAGE), whose = sources(from, to, PAGE);
		size_t at = 0;
		if (!s.count)
			break;
		assert_true(s.count == PAGE || count + s.count == RELAYS * (RELAYS - 1));
		assert_true(whose.count <= PAGE / (RELAYS - 1) + 2);
		for (size_t i = 0; i < s.count; i++) {
			assert_true(s.probes[i].from > from || (s.probes[i].from == from && s.probes[i].to > to));
			from = s.probes[i].from;
			to = s.probes[i].to;
			at += whose.relays[at].id != from;
			assert_true(at < whose.count && whose.relays[at].id == from);
		}
		assert_int_equal(at + 1, whose.count);
		count += s.count;
	}
	assert_int_equal(count, RELAYS * (RELAYS - 1));
}

/* One that goes while the figures are written: the announcement that brings them stands. */
static void a_relay_goes_meanwhile(void **state)
{
	(void)state;
	three_relays();
	fixture_sql(fx, "CREATE FUNCTION fleetscale.gone() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN DELETE FROM fleetscale.relays WHERE name = 'two'; "
			"RETURN NEW; END $$; CREATE TRIGGER gone BEFORE INSERT ON fleetscale.relay_probes FOR EACH ROW EXECUTE FUNCTION fleetscale.gone()");
	put("one", 1, (struct relayprobe[]){good(ids[1], 0)}, 1);
	assert_int_equal(page(0, 0, 100).count, 0);
	fixture_sql(fx, "DROP TRIGGER gone ON fleetscale.relay_probes");
	put("one", 1, (struct relayprobe[]){good(ids[2], 0)}, 1);
	assert_int_equal(page(0, 0, 100).count, 1);
}

static struct seen peers_in(unsigned region, uint64_t after)
{
	struct tx *tx = tx_begin(pg, 0, TX_READ);
	struct seen s = {.statement = relays_peers(tx, region, after)};
	assert_int_equal(fixture_run(loop, tx, see_relays, &s, NULL), ERR_NONE);
	return s;
}

static struct seen peers(uint64_t after)
{
	return peers_in(900, after);
}

static void peers_are_those_in_life(void **state)
{
	(void)state;
	three_relays();
	struct seen s = peers(0);
	assert_int_equal(s.count, 3);
	assert_int_equal(s.relays[0].id, ids[0]);
	/* From there on, and round. */
	s = peers(ids[0]);
	assert_int_equal(s.count, 3);
	assert_true(s.relays[0].id == ids[1] && s.relays[2].id == ids[0]);
	fixture_sql(fx, "UPDATE fleetscale.relays SET silent_since = now() - interval '1 hour' WHERE name = 'two'");
	assert_int_equal(peers(0).count, 3);
	fixture_sql(fx, "UPDATE fleetscale.relays SET silent_since = now() - interval '2 days' WHERE name = 'two'");
	assert_int_equal(peers(0).count, 2);
	fixture_sql(fx, "UPDATE fleetscale.relays SET wish = 'drain' WHERE name = 'three'");
	assert_int_equal(peers(0).count, 1);
	fixture_sql(fx, "UPDATE fleetscale.relay_tokens SET revoked = now()");
	assert_int_equal(peers(0).count, 0);
}

struct heard_verdict {
	bool done, allowed;
	uint64_t tailnet;
};

static void on_verdict(void *context, enum err e, const struct relay_standing *standing)
{
	struct heard_verdict *v = context;
	assert_int_equal(e, ERR_NONE);
	*v = (struct heard_verdict){true, standing->allowed, standing->tailnet};
}

static bool may(uint8_t key, unsigned region)
{
	struct node_key k = {.raw = {key, 1}};
	struct heard_verdict v = {0};
	relays_verify(pg, &k, region, on_verdict, &v);
	assert_true(fixture_wait(loop, &v.done, 10000));
	assert_int_equal(v.tailnet, 0);
	return v.allowed;
}

/* Relays of regions that no tailnet has side by side are not told to each other. */
static void peers_are_of_regions_that_meet(void **state)
{
	static const struct {
		const char *ours, *theirs; /* whose 900, whose 901 */
		size_t seen;               /* of all four by one of 900, and by that of 901 */
		size_t seen_there;
	} cases[] = {{"NULL", "NULL", 4, 4},       {"NULL", "'{7}'", 4, 4},  {"'{7}'", "NULL", 4, 4}, {"'{7}'", "'{7}'", 4, 4},
		     {"'{6,7}'", "'{7,8}'", 4, 4}, {"'{7}'", "'{8}'", 3, 1}, {"'{}'", "'{8}'", 3, 1}, {"'{}'", "'{}'", 3, 1}};
	char sql[300];
	(void)state;
	three_relays();
	fixture_sql(fx, "INSERT INTO fleetscale.regions (id, code, name) VALUES (901, 'y', 'Y')");
	fixture_sql(
		fx,
		"INSERT INTO fleetscale.relays (region_id, name, last_seen, probe_key) VALUES (901, 'far', now(), decode('0901' || repeat('00', 30), 'hex'))");
	put("one", 1, NULL, 0);
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		snprintf(sql, sizeof sql, "UPDATE fleetscale.regions SET tailnets = CASE id WHEN 900 THEN %s ELSE %s END::bigint[] WHERE id IN (900, 901)",
			 cases[i].ours, cases[i].theirs);
		fixture_sql(fx, sql);
		assert_int_equal(peers_in(900, 0).count, cases[i].seen);
		assert_int_equal(peers_in(901, 0).count, cases[i].seen_there);
		/* Nor are they admitted there. */
		assert_true(may(1, 900) && may(9, 901));
		assert_int_equal(may(1, 901), cases[i].seen == 4);
		assert_int_equal(may(9, 900), cases[i].seen == 4);
	}
}

static void probers_of_relays_in_life_are_allowed(void **state)
{
	(void)state;
	three_relays();
	fixture_sql(fx, "INSERT INTO fleetscale.regions (id, code, name) VALUES (977, 'z', 'Z')");
	assert_false(may(1, 900));
	put("one", 1, NULL, 0);
	assert_true(may(1, 900) && may(1, 977));
	assert_false(may(2, 900));
	/* A process that starts anew has another key. */
	put("one", 3, NULL, 0);
	assert_true(!may(1, 900) && may(3, 900));
	fixture_sql(fx, "UPDATE fleetscale.relays SET last_seen = now() - interval '3 minutes' WHERE name = 'one'");
	assert_false(may(3, 900));
	announce("one");
	assert_true(may(3, 900));
	/* A relay cannot vouch for a node that may not. */
	fixture_sql(fx, "UPDATE fleetscale.regions SET tailnets = '{7777777}' WHERE id = 977");
	struct enrollment e = join_of(1, "laptop");
	e.node_key = (struct node_key){.raw = {5, 1}};
	assert_int_equal(enroll(e).e, ERR_NONE);
	assert_false(may(5, 977));
	put("one", 5, NULL, 0);
	assert_false(may(5, 977));
	put("one", 3, NULL, 0);
	assert_true(may(3, 977));
	fixture_sql(fx, "UPDATE fleetscale.relay_tokens SET revoked = now()");
	assert_false(may(3, 900));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_row_for_each_pair, nodes_fixture_open, nodes_fixture_close),
		cmocka_unit_test_setup_teardown(pages_of_a_large_fleet, nodes_fixture_open, nodes_fixture_close),
		cmocka_unit_test_setup_teardown(a_relay_goes_meanwhile, nodes_fixture_open, nodes_fixture_close),
		cmocka_unit_test_setup_teardown(peers_are_those_in_life, nodes_fixture_open, nodes_fixture_close),
		cmocka_unit_test_setup_teardown(peers_are_of_regions_that_meet, nodes_fixture_open, nodes_fixture_close),
		cmocka_unit_test_setup_teardown(probers_of_relays_in_life_are_allowed, nodes_fixture_open, nodes_fixture_close),
	};
	return cmocka_run_group_tests(tests, nodes_fixture_start, nodes_fixture_stop);
}
