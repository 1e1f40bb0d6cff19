#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "hostname.h"
#include "ipam.h"
#include "pg.h"
#include "schema.h"
#include "serverkeys.h"
#include "store_fixture.h"

static struct fixture *fx;

static int set_up(void **state)
{
	(void)state;
	fx = fixture_new();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	fixture_free(&fx);
	return 0;
}

/* --- migrate ------------------------------------------------------------------------------------------------------------------------------------------ */

static char empty_url[200];

static void *migrate_thread(void *context)
{
	struct diag why = {.text = ""};
	enum err *e = context;
	*e = schema_migrate(&(struct schema_plan){.url = empty_url, .base_domain = "x.test"}, &why);
	if (*e)
		fprintf(stderr, "migrate: %s\n", why.text);
	return NULL;
}

static void several_migrate_at_once(void **state)
{
	enum { PROCESSES = 4 };
	pthread_t threads[PROCESSES];
	enum err e[PROCESSES];
	(void)state;
	fixture_sql(fx, "CREATE DATABASE bare");
	snprintf(empty_url, sizeof empty_url, "%s dbname=bare", fixture_owner(fx));
	for (int i = 0; i < PROCESSES; i++)
		pthread_create(&threads[i], NULL, migrate_thread, &e[i]);
	for (int i = 0; i < PROCESSES; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(e[i], ERR_NONE);
	}
	struct serverkey keys[SERVERKEYS_MAX];
	size_t count;
	struct diag why;
	assert_int_equal(serverkeys_load(empty_url, keys, &count, &why), ERR_NONE);
	assert_int_equal(count, 1);
	assert_false(key_is_zero(keys[0].public_key.raw));
	struct signing_key signing[SERVERKEYS_MAX];
	assert_int_equal(serverkeys_load_signing(empty_url, signing, &count, &why), ERR_NONE);
	assert_int_equal(count, 1);
	assert_ptr_equal(serverkeys_signer(signing, count, clock_wall()), &signing[0]);
	assert_int_equal(pg_check_schema(empty_url, &why), ERR_NONE);
	assert_int_equal(migrate_thread(&e[0]) == NULL && e[0], ERR_NONE);
}

/* The newest that has begun and not ended. */
static void keys_sign_in_their_time(void **state)
{
	const struct signing_key keys[] = {{.from = {300}, .until = WALL_ZERO}, {.from = {200}, .until = {250}}, {.from = {100}, .until = {400}}};
	static const struct {
		int64_t now;
		int want;
	} cases[] = {{99, -1}, {100, 2}, {199, 2}, {200, 1}, {249, 1}, {250, 2}, {300, 0}, {1000, 0}};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		assert_ptr_equal(serverkeys_signer(keys, COUNT_OF(keys), (struct wall){cases[i].now}), cases[i].want < 0 ? NULL : &keys[cases[i].want]);
	assert_null(serverkeys_signer(keys, 2, (struct wall){260}));
}

static void a_base_domain_is_a_domain(void **state)
{
	static const char *const bad[] = {"", ".", "a..b", "a.b.", "Upper.test", "sp ace", "-x.test", "x_y.test"};
	struct diag why;
	(void)state;
	for (size_t i = 0; i < COUNT_OF(bad); i++)
		assert_int_equal(schema_migrate(&(struct schema_plan){.url = fixture_owner(fx), .base_domain = bad[i]}, &why), ERR_MALFORMED);
}

static void furnishes_once(void **state)
{
	(void)state;
	assert_string_equal(fixture_sql(fx, "SELECT count(*) || ' ' || min(name) || ' ' || min(domain) FROM fleetscale.tailnets"),
			    "1 default default.fleet.test");
	assert_string_equal(fixture_sql(fx, "SELECT count(*) || ' ' || min(name) FROM fleetscale.users"), "1 default");
	assert_string_equal(fixture_sql(fx, "SELECT string_agg(kind, ' ' ORDER BY kind) FROM fleetscale.serverkeys"), "identity noise relays");
	/* Each begins with a line, hence with a stamp. */
	assert_string_equal(fixture_sql(fx, "SELECT count(*) FROM fleetscale.generations g WHERE NOT EXISTS "
					    "(SELECT FROM fleetscale.journal j WHERE j.tailnet_id = g.tailnet_id AND j.generation = g.generation)"),
			    "0");
}

static void refuses_what_is_too_old_or_too_new(void **state)
{
	struct diag why;
	char url[200];
	(void)state;
	snprintf(url, sizeof url, "%s dbname=postgres", fixture_owner(fx));
	assert_int_equal(pg_check_schema(url, &why), ERR_UNSUPPORTED);
	assert_non_null(strstr(why.text, "fleetscale migrate"));
	assert_int_equal(pg_check_schema(fixture_coordinator(fx), &why), ERR_NONE);
	assert_int_equal(pg_check_schema(fixture_mapper(fx), &why), ERR_NONE);
	fixture_database(fx);
	/* Newer, but it bears us. */
	fixture_sql(fx, "INSERT INTO fleetscale.migrations (version, name, checksum) VALUES (999, 'later', '')");
	assert_int_equal(pg_check_schema(fixture_mapper(fx), &why), ERR_NONE);
	assert_int_equal(schema_migrate(&(struct schema_plan){.url = fixture_owner(fx)}, &why), ERR_UNSUPPORTED);
	fixture_sql(fx, "UPDATE fleetscale.migrations SET least = 999 WHERE version = 999");
	assert_int_equal(pg_check_schema(fixture_mapper(fx), &why), ERR_UNSUPPORTED);
	assert_non_null(strstr(why.text, "newer release"));
	fixture_database(fx);
	fixture_sql(fx, "DELETE FROM fleetscale.migrations WHERE version > 3");
	assert_int_equal(pg_check_schema(fixture_mapper(fx), &why), ERR_UNSUPPORTED);
	assert_non_null(strstr(why.text, "too old"));
	fixture_database(fx);
	fixture_sql(fx, "UPDATE fleetscale.migrations SET checksum = 'x' WHERE version = 2");
	assert_int_equal(schema_migrate(&(struct schema_plan){.url = fixture_owner(fx)}, &why), ERR_UNSUPPORTED);
	fixture_database(fx);
	assert_int_equal(pg_check_schema("host=/nowhere dbname=x", &why), ERR_UNAVAILABLE);
}

static void an_owner_without_rights_hears_which(void **state)
{
	struct diag why = {.text = ""};
	char url[200];
	(void)state;
	fixture_sql(fx, "CREATE ROLE plain LOGIN");
	fixture_sql(fx, "CREATE DATABASE plainly");
	snprintf(url, sizeof url, "%s user=plain dbname=plainly", fixture_owner(fx));
	assert_int_equal(schema_migrate(&(struct schema_plan){.url = url}, &why), ERR_DENIED);
	assert_non_null(strstr(why.text, "GRANT fleetscale_lookup TO plain"));
	fixture_sql(fx, "GRANT fleetscale_lookup TO plain");
	assert_int_equal(schema_migrate(&(struct schema_plan){.url = url}, &why), ERR_DENIED);
	assert_non_null(strstr(why.text, "schema"));
	fixture_sql(fx, "GRANT CREATE ON DATABASE plainly TO plain");
	enum err e = schema_migrate(&(struct schema_plan){.url = url}, &why);
	assert_string_equal(e ? why.text : "", "");
	/* An owner that row-level security binds too. */
	e = schema_migrate(&(struct schema_plan){.url = url}, &why);
	assert_string_equal(e ? why.text : "", "");
}

/* --- tenants -------------------------------------------------------------------------------------------------------------------------------------------- */

/* Two tailnets with the same of everything. */
static void two_tailnets(uint64_t *one, uint64_t *two)
{
	fixture_database(fx);
	*one = strtoull(fixture_sql(fx, "SELECT id FROM fleetscale.tailnets"), NULL, 10);
	*two = strtoull(fixture_sql(fx, "SELECT set_config('fleetscale.tailnet', '0', false); "
					"SELECT id FROM fleetscale.create_tailnet('other', '', '', NULL, NULL, true)"),
			NULL, 10);
	fixture_sql(fx, "INSERT INTO fleetscale.users (tailnet_id, name) SELECT id, 'ann' FROM fleetscale.tailnets");
	fixture_sql(fx, "INSERT INTO fleetscale.authkeys (tailnet_id, user_id, prefix, hash) SELECT tailnet_id, id, 'p' || id, decode(repeat('00', 32), 'hex') "
			"FROM fleetscale.users WHERE name = 'ann'");
	fixture_sql(fx,
		    "INSERT INTO fleetscale.apikeys (tailnet_id, prefix, hash) SELECT id, 'p' || id, decode(repeat('00', 32), 'hex') FROM fleetscale.tailnets");
	fixture_sql(fx, "INSERT INTO fleetscale.nodes (tailnet_id, user_id, machine_key, node_key, label, ip4, ip6) SELECT tailnet_id, id, decode(repeat('00', "
			"32), 'hex'), "
			"sha256(id::text::bytea), 'pc', '100.64.0.1', 'fd7a:115c:a1e0::1' FROM fleetscale.users WHERE name = 'ann'");
	fixture_sql(fx, "INSERT INTO fleetscale.logins (tailnet_id, hash, machine_key, node_key, ends) SELECT id, sha256(id::text::bytea), decode(repeat('00', "
			"32), 'hex'), "
			"decode(repeat('00', 32), 'hex'), now() FROM fleetscale.tailnets");
	fixture_sql(fx, "INSERT INTO fleetscale.audits (tailnet_id, actor, action) SELECT id, 'x', 'y' FROM fleetscale.tailnets");
	fixture_sql(fx, "INSERT INTO fleetscale.policies (tailnet_id, version, text) SELECT id, 1, '{}' FROM fleetscale.tailnets");
	fixture_sql(fx,
		    "INSERT INTO fleetscale.user_groups (tailnet_id, user_id, name) SELECT tailnet_id, id, 'group:x' FROM fleetscale.users WHERE name = 'ann'");
}

static const struct {
	const char *table, *column;
	bool mapper;   /* may read it at all */
	bool writable; /* by coordinators: UPDATE */
	bool fixed;    /* no UPDATE, but DELETE */
} tables[] = {
	{"tailnets", "id", true, true, false},         {"generations", "tailnet_id", true, true, false}, {"cursors", "tailnet_id", false, true, false},
	{"users", "tailnet_id", true, true, false},    {"nodes", "tailnet_id", true, true, false},       {"authkeys", "tailnet_id", false, true, false},
	{"apikeys", "tailnet_id", false, true, false}, {"logins", "tailnet_id", false, true, false},     {"journal", "tailnet_id", true, false, false},
	{"audits", "tailnet_id", false, false, false}, {"policies", "tailnet_id", true, false, true},    {"user_groups", "tailnet_id", true, false, true},
};

static void no_tailnet_sees_or_touches_another(void **state)
{
	uint64_t one, two;
	char sql[256];
	const char *value;
	(void)state;
	two_tailnets(&one, &two);
	for (size_t i = 0; i < COUNT_OF(tables); i++) {
		const char *t = tables[i].table, *c = tables[i].column;
		snprintf(sql, sizeof sql, "SELECT count(*) > 0 FROM fleetscale.%s WHERE %s = %llu", t, c, (unsigned long long)two);
		assert_string_equal(fixture_sql(fx, sql), "t");
		const char *bad = tables[i].writable ? "" : "42501";
		assert_string_equal(fixture_sql_as(fx, "fleetscale_coordinator", two, sql, &value), "");
		assert_string_equal(value, "t");
		assert_string_equal(fixture_sql_as(fx, "fleetscale_coordinator", one, sql, &value), "");
		assert_string_equal(value, "f");
		assert_string_equal(fixture_sql_as(fx, "fleetscale_mapper", one, sql, &value), tables[i].mapper ? "" : "42501");
		if (tables[i].mapper)
			assert_string_equal(value, "f");
		/* Unset reads as ''. */
		snprintf(sql, sizeof sql, "SET fleetscale.tailnet = ''; SELECT count(*) FROM fleetscale.%s", t);
		assert_string_equal(fixture_sql_as(fx, "fleetscale_coordinator", one, sql, &value), "");
		assert_string_equal(value, "0");
		snprintf(sql, sizeof sql, "WITH w AS (UPDATE fleetscale.%s SET %s = %s WHERE %s = %llu RETURNING 1) SELECT count(*) FROM w", t, c, c, c,
			 (unsigned long long)two);
		assert_string_equal(fixture_sql_as(fx, "fleetscale_coordinator", one, sql, &value), bad);
		assert_string_equal(value, *bad ? "" : "0");
		bad = tables[i].writable || tables[i].fixed ? "" : "42501";
		snprintf(sql, sizeof sql, "WITH w AS (DELETE FROM fleetscale.%s WHERE %s = %llu RETURNING 1) SELECT count(*) FROM w", t, c,
			 (unsigned long long)two);
		assert_string_equal(fixture_sql_as(fx, "fleetscale_coordinator", one, sql, &value), bad);
		assert_string_equal(value, *bad ? "" : "0");
		/* Nor may a row wander over. */
		if (tables[i].writable && i > 0) {
			snprintf(sql, sizeof sql, "UPDATE fleetscale.%s SET %s = %llu", t, c, (unsigned long long)two);
			assert_string_equal(fixture_sql_as(fx, "fleetscale_coordinator", one, sql, NULL), "42501");
		}
		/* Mappers write nothing. */
		snprintf(sql, sizeof sql, "DELETE FROM fleetscale.%s", t);
		assert_string_not_equal(fixture_sql_as(fx, "fleetscale_mapper", one, sql, NULL), "");
	}
}

static void insertions_stay_at_home(void **state)
{
	uint64_t one, two;
	char sql[256];
	(void)state;
	two_tailnets(&one, &two);
	snprintf(sql, sizeof sql, "INSERT INTO fleetscale.users (tailnet_id, name) VALUES (%llu, 'eve')", (unsigned long long)two);
	assert_string_equal(fixture_sql_as(fx, "fleetscale_coordinator", one, sql, NULL), "42501");
	snprintf(sql, sizeof sql, "INSERT INTO fleetscale.journal (tailnet_id, generation, seq, kind, subject, stamp) VALUES (%llu, 99, 1, 'user', 1, 1)",
		 (unsigned long long)two);
	assert_string_equal(fixture_sql_as(fx, "fleetscale_coordinator", one, sql, NULL), "42501");
	/* An owner from another tailnet. */
	snprintf(sql, sizeof sql, "UPDATE fleetscale.nodes SET user_id = %s", fixture_sql(fx, "SELECT max(id) FROM fleetscale.users WHERE name = 'ann'"));
	assert_string_equal(fixture_sql_as(fx, "fleetscale_coordinator", one, sql, NULL), "23503");
}

static void mappers_read_no_secrets(void **state)
{
	static const char *const forbidden[] = {
		"SELECT 1 FROM fleetscale.serverkeys",       "SELECT hash FROM fleetscale.relays", "SELECT prefix FROM fleetscale.relays",
		"SELECT 1 FROM fleetscale.installation",     "SELECT fleetscale.node_of_key('')",  "SELECT fleetscale.register_key('x')",
		"SELECT fleetscale.journal_prune(now(), 1)", "SELECT nextval('fleetscale.ids')",   "SELECT fleetscale.apikey_of_prefix('x')",
		"CREATE TABLE fleetscale.mine ()",
	};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(forbidden); i++)
		assert_string_not_equal(fixture_sql_as(fx, "fleetscale_mapper", 0, forbidden[i], NULL), "");
	assert_string_equal(fixture_sql_as(fx, "fleetscale_mapper", 0, "SELECT name, host_name FROM fleetscale.relays", NULL), "");
}

/* --- rules that stand in C and in SQL ---------------------------------------------------------------------------------------------------------------------- */

static void addresses_are_those_of_ipam(void **state)
{
	static const struct {
		const char *range;
		uint64_t cursor;
	} cases[] = {
		{"100.64.0.0/10", 0},
		{"100.64.0.0/10", 1},
		{"100.64.0.0/10", 255},
		{"100.64.0.0/10", 2385507},
		{"100.64.0.0/10", 2385508},
		{"100.64.0.0/10", 4194302},
		{"100.64.0.0/10", 4194303},
		{"100.115.92.0/22", 0},
		{"100.115.92.0/23", 1},
		{"100.115.0.0/16", 23551},
		{"100.115.0.0/16", 23552},
		{"100.64.0.0/29", 6},
		{"100.64.0.0/29", 7},
		{"100.64.0.0/30", 2},
		{"100.64.0.0/31", 0},
		{"100.64.0.0/32", 0},
		{"100.100.100.96/28", 3},
		{"100.100.100.96/28", 4},
		{"fd7a:115c:a1e0::/48", 0},
		{"fd7a:115c:a1e0::/48", 82},
		{"fd7a:115c:a1e0::/48", 83},
		{"fd7a:115c:a1e0:b1a::/64", 1},
		{"fd7a:115c:a1e0::/64", 1},
		{"fd7a:115c:a1e0:ab12::/64", 5208183364886593535u},
		{"fd7a:115c:a1e0:ab12::/64", 5208183364886593536u},
		{"fd7a:115c:a1e0:ab12:4843:cd96:6200::/112", 5},
		{"fd7a:115c:a1e0::50/125", 2},
		{"fd7a:115c:a1e0::50/125", 3},
		{"fd7a:115c:a1e0::50/125", 7},
	};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct prefix range;
		struct ip ip;
		uint64_t next;
		char sql[200], expected[100] = "", text[IP_TEXT_MAX];
		assert_int_equal(prefix_parse(bytes_text(cases[i].range), &range), ERR_NONE);
		if (!ipam_next(range, cases[i].cursor, &ip, &next)) {
			ip_format(text, ip);
			snprintf(expected, sizeof expected, "%s %llu", text, (unsigned long long)next);
		}
		snprintf(sql, sizeof sql, "SELECT host(address) || ' ' || following FROM fleetscale.address_next('%s', %llu)", cases[i].range,
			 (unsigned long long)cases[i].cursor);
		assert_string_equal(fixture_sql(fx, sql), expected);
	}
}

static void labels_are_those_of_hostname(void **state)
{
	static const char *const bases[] = {"a",
					    "laptop",
					    "node",
					    "x-y",
					    "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffggg",
					    "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffff-gg"};
	static const unsigned numbers[] = {0, 1, 9, 10, 99, 1000, 123456};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(bases); i++)
		for (size_t j = 0; j < COUNT_OF(numbers); j++) {
			char label[NODE_LABEL_MAX + 1], sql[300];
			hostname_candidate(bases[i], numbers[j], label);
			snprintf(sql, sizeof sql, "SELECT fleetscale.label_candidate('%s', %u)", bases[i], numbers[j]);
			assert_string_equal(fixture_sql(fx, sql), label);
			snprintf(sql, sizeof sql, "SELECT fleetscale.label_is_of('%s', '%s')", label, bases[i]);
			assert_string_equal(fixture_sql(fx, sql), "t");
		}
	assert_string_equal(fixture_sql(fx, "SELECT fleetscale.label_is_of('laptop-x', 'laptop')"), "f");
	assert_string_equal(fixture_sql(fx, "SELECT fleetscale.label_is_of('laptop-01', 'laptop')"), "f");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(several_migrate_at_once),
		cmocka_unit_test(furnishes_once),
		cmocka_unit_test(keys_sign_in_their_time),
		cmocka_unit_test(a_base_domain_is_a_domain),
		cmocka_unit_test(refuses_what_is_too_old_or_too_new),
		cmocka_unit_test(an_owner_without_rights_hears_which),
		cmocka_unit_test(no_tailnet_sees_or_touches_another),
		cmocka_unit_test(insertions_stay_at_home),
		cmocka_unit_test(mappers_read_no_secrets),
		cmocka_unit_test(addresses_are_those_of_ipam),
		cmocka_unit_test(labels_are_those_of_hostname),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
