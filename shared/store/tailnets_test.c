/* A tailnet's row as a whole: written, read back, held against a change in between; limits; the end of a tailnet. */
#include "tailnets.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "nodes_fixture.h"
#include "users.h"

static struct tailnets_whole whole;
static struct diag said;
static uint64_t generation;
static unsigned at;

static void see_whole(void *context, struct tx *tx)
{
	(void)context;
	generation = tx_generation(tx);
	assert_true(tailnets_read_whole(tx, at, arena, &whole));
}

static enum err read_whole(void)
{
	struct tx *tx = tx_begin(pg, tailnet, TX_READ);

	at = tailnets_get_whole(tx);
	return fixture_run(loop, tx, see_whole, NULL, &said);
}

static enum err write_whole(void)
{
	struct tx *tx = tx_begin(pg, tailnet, TX_WRITE);

	at = tailnets_update(tx, &whole);
	return fixture_run(loop, tx, see_whole, NULL, &said);
}

static enum err add_user(const char *name)
{
	struct tx *tx = tx_begin(pg, tailnet, TX_WRITE);

	users_insert(tx, &(struct user){.name = bytes_text(name)});
	return fixture_run(loop, tx, NULL, NULL, &said);
}

static uint64_t bell;

static void see_bell(void *context, struct tx *tx)
{
	(void)context;
	bell = tailnets_read_bell(tx, at);
}

static enum err remove_tailnet(bool forced)
{
	struct tx *tx = tx_begin(pg, 0, TX_WRITE);

	at = tailnets_delete(tx, tailnet, forced);
	return fixture_run(loop, tx, see_bell, NULL, &said);
}

static void settings_read_back(void **state)
{
	struct dns_resolver resolvers[] = {{BYTES("1.1.1.1"), false}, {BYTES("https://dns.example/q"), true}};
	struct dns_split split[] = {{BYTES("a.b"), {BYTES("10.0.0.1"), true}}, {BYTES("c"), {BYTES_NONE, false}}};
	struct dns_record records[] = {{BYTES("x.y"), BYTES("A"), BYTES("10.0.0.2")}};
	struct bytes search[] = {BYTES("s.example")}, filtered[] = {BYTES(".f.example")};
	uint64_t before;

	(void)state;
	assert_int_equal(read_whole(), ERR_NONE);
	assert_true(whole.settings.dns.magic && !whole.settings.dns.override && whole.settings.dns.resolver_count == 0);
	assert_int_equal(whole.tailnet.key_lifetime_ms, INT64_C(180) * 86400000);
	whole.settings = (struct settings){
		.dns = {false, true, resolvers, split, search, filtered, records, 2, 2, 1, 1, 1}, .auto_update = true, .notice = BYTES("Back at \"9\"\n")};
	whole.tailnet.key_lifetime_ms = 60000;
	whole.tailnet.suspended = whole.tailnet.device_approval = true;
	whole.tailnet.node_limit = 7;
	whole.tailnet.login_host = BYTES("login.example");
	assert_int_equal(write_whole(), ERR_NONE);
	before = generation;
	assert_true(before > 0);
	assert_string_equal(last_lines(), "tailnet");
	assert_int_equal(read_whole(), ERR_NONE);
	assert_true(!whole.settings.dns.magic && whole.settings.dns.override && whole.settings.auto_update && !whole.settings.file_sharing);
	assert_true(whole.settings.dns.resolver_count == 2 && whole.settings.dns.resolvers[1].with_exit_node);
	assert_true(whole.settings.dns.split_count == 2 && bytes_equal_text(whole.settings.dns.split[0].resolver.address, "10.0.0.1"));
	assert_true(bytes_equal_text(whole.settings.dns.records[0].value, "10.0.0.2") && bytes_equal_text(whole.settings.dns.search[0], "s.example"));
	assert_true(bytes_equal_text(whole.settings.dns.exit_filtered[0], ".f.example") && bytes_equal_text(whole.settings.notice, "Back at \"9\"\n"));
	assert_true(whole.tailnet.suspended && !whole.tailnet.frozen && whole.tailnet.node_limit == 7);
	assert_true(bytes_equal_text(whole.tailnet.login_host, "login.example"));
	/* The same again is no change. */
	assert_int_equal(write_whole(), ERR_NONE);
	assert_int_equal(generation, 0);
}

static void a_change_between_is_seen(void **state)
{
	struct bytes version;

	(void)state;
	assert_int_equal(read_whole(), ERR_NONE);
	version = whole.version;
	whole.settings.notice = BYTES("first");
	assert_int_equal(write_whole(), ERR_NONE);
	assert_false(bytes_equal(version, whole.version));
	whole.version = version;
	whole.settings.notice = BYTES("second");
	assert_int_equal(write_whole(), ERR_CONFLICT);
	assert_int_equal(read_whole(), ERR_NONE);
	assert_true(bytes_equal_text(whole.settings.notice, "first"));
}

static void a_derived_domain_follows_the_name(void **state)
{
	struct tailnet other_tailnet = {.name = BYTES("lab"), .domain = BYTES("lab.example.org"), .login_host = BYTES("taken.example")};
	struct tx *tx = tx_begin(pg, 0, TX_WRITE);

	(void)state;
	tailnets_insert(tx, &other_tailnet);
	assert_int_equal(fixture_run(loop, tx, NULL, NULL, &said), ERR_NONE);
	assert_int_equal(read_whole(), ERR_NONE);
	whole.tailnet.name = BYTES("crew");
	assert_int_equal(write_whole(), ERR_NONE);
	assert_true(bytes_equal_text(whole.tailnet.domain, "crew.fleet.test"));
	whole.tailnet.name = BYTES("lab");
	assert_int_equal(write_whole(), ERR_EXISTS);
	assert_string_equal(said.text, "a tailnet of this name exists");
	whole.tailnet.name = BYTES("crew");
	whole.tailnet.login_host = BYTES("taken.example");
	assert_int_equal(write_whole(), ERR_EXISTS);
	assert_string_equal(said.text, "another tailnet has this login host");
	tailnet = strtoull(fixture_sql(fx, "SELECT id FROM fleetscale.tailnets WHERE name = 'lab'"), NULL, 10);
	assert_int_equal(read_whole(), ERR_NONE);
	whole.tailnet.name = BYTES("lab2");
	assert_int_equal(write_whole(), ERR_NONE);
	assert_true(bytes_equal_text(whole.tailnet.domain, "lab.example.org"));
}

static void users_are_limited(void **state)
{
	(void)state;
	assert_int_equal(read_whole(), ERR_NONE);
	whole.tailnet.user_limit = 3;
	assert_int_equal(write_whole(), ERR_NONE);
	for (unsigned i = (unsigned)strtoul(fixture_sql(fx, "SELECT count(*) FROM fleetscale.users"), NULL, 10); i < 3; i++)
		assert_int_equal(add_user(i & 1 ? "ann" : "bob"), ERR_NONE);
	assert_int_equal(add_user("zoe"), ERR_EXHAUSTED);
	assert_string_equal(said.text, "this tailnet may have 3 users, and it has them");
	whole.tailnet.user_limit = 0;
	assert_int_equal(write_whole(), ERR_NONE);
	assert_int_equal(add_user("zoe"), ERR_NONE);
}

/* What is left of the tailnet in any table that has its number, but the audits. */
static void nothing_is_left(void)
{
	char sql[700];

	snprintf(sql, sizeof sql,
		 "SELECT coalesce(string_agg(a.attrelid::regclass::text, ' '), '') FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid "
		 "WHERE a.attname = 'tailnet_id' AND c.relnamespace = 'fleetscale'::regnamespace AND c.relkind IN ('r', 'p') AND c.relname <> 'audits' "
		 "AND query_to_xml('SELECT ' || a.attname || ' FROM ' || a.attrelid::regclass || ' WHERE ' || a.attname || ' = %llu', false, false, '')::text "
		 "LIKE '%%<row%%'",
		 (unsigned long long)tailnet);
	assert_string_equal(fixture_sql(fx, sql), "");
}

static void deleting_asks_and_leaves_nothing(void **state)
{
	struct tx *tx;
	struct secret secret;

	(void)state;
	make_key(&secret, true);
	assert_int_equal(enroll(join_of(1, "one")).e, ERR_NONE);
	assert_int_equal(remove_tailnet(false), ERR_CONFLICT);
	assert_string_equal(said.text, "the tailnet still has 1 node: delete them first, or delete all together with force=true");
	assert_int_equal(enroll(join_of(2, "two")).e, ERR_NONE);
	assert_int_equal(remove_tailnet(false), ERR_CONFLICT);
	assert_non_null(strstr(said.text, "has 2 nodes"));
	/* A tailnet deletes neither itself nor others. */
	tx = tx_begin(pg, tailnet, TX_WRITE);
	tailnets_delete(tx, tailnet, true);
	assert_int_equal(fixture_run(loop, tx, NULL, NULL, &said), ERR_DENIED);

	tx = tx_begin(pg, tailnet, TX_WRITE);
	tailnets_clear(tx);
	assert_int_equal(fixture_run(loop, tx, NULL, NULL, &said), ERR_NONE);
	assert_string_equal(last_lines(), "tailnet node-removed node-removed");
	assert_int_equal(enroll(join_of(3, "three")).e, ERR_DENIED);
	assert_int_equal(remove_tailnet(false), ERR_NONE);
	assert_true(bell > 3);
	nothing_is_left();
	assert_int_equal(remove_tailnet(false), ERR_NOT_FOUND);
	assert_int_equal(add_user("zoe"), ERR_NOT_FOUND);
}

static void deleting_by_force_takes_who_came_between(void **state)
{
	(void)state;
	assert_int_equal(enroll(join_of(1, "one")).e, ERR_NONE);
	assert_int_equal(remove_tailnet(true), ERR_NONE);
	nothing_is_left();
	assert_string_equal(fixture_sql(fx, "SELECT count(*) FROM fleetscale.tailnets"), "0");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, nodes_fixture_open, nodes_fixture_close)

int main(void)
{
	const struct CMUnitTest tests[] = {TEST(settings_read_back), TEST(a_change_between_is_seen),         TEST(a_derived_domain_follows_the_name),
					   TEST(users_are_limited),  TEST(deleting_asks_and_leaves_nothing), TEST(deleting_by_force_takes_who_came_between)};

	return cmocka_run_group_tests(tests, nodes_fixture_start, nodes_fixture_stop);
}
