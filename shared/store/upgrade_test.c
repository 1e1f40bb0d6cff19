/* A database of the last release, with a fleet in it, becomes one of this program; coordinators of that release go on beside it. Against a PostgreSQL of its own.
 * Not what the tables hold otherwise. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <libpq-fe.h>

#include "key.h"
#include "pg.h"
#include "schema.h"
#include "secret.h"
#include "store_fixture.h"
#include "text.h"

enum { RELEASED = 29 }; /* migrations of the last release */

static struct fixture *fx;
static char url[200];

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

/* First column of the first row that the last of these statements gave, as the owner in the installation's own tailnet; freed by the next call. */
static const char *ask(const char *sql)
{
	static char value[400];
	PGconn *c = PQconnectdb(url);
	PQclear(PQexec(c, "SET fleetscale.tailnet = '0'"));
	PGresult *r = PQexec(c, sql);
	if (PQresultStatus(r) != PGRES_TUPLES_OK && PQresultStatus(r) != PGRES_COMMAND_OK)
		fail_msg("%s", PQerrorMessage(c));
	snprintf(value, sizeof value, "%s", PQntuples(r) ? PQgetvalue(r, 0, 0) : "");
	PQclear(r);
	PQfinish(c);
	return value;
}

static void release_before(void)
{
	fixture_sql(fx, "CREATE DATABASE released");
	snprintf(url, sizeof url, "%s dbname=released", fixture_owner(fx));
	ask("CREATE SCHEMA fleetscale; GRANT USAGE ON SCHEMA fleetscale TO fleetscale_coordinator, fleetscale_mapper, fleetscale_lookup;"
	    "CREATE TABLE fleetscale.migrations (version integer PRIMARY KEY, name text NOT NULL, at timestamptz NOT NULL DEFAULT now(), checksum text NOT "
	    "NULL,"
	    " least integer NOT NULL DEFAULT 0); GRANT SELECT ON fleetscale.migrations TO fleetscale_coordinator, fleetscale_mapper");
	for (unsigned i = 0; i < RELEASED; i++) {
		const struct migration *m = &schema_migrations[i];
		char row[300], text[2 * KEY_LEN + 1];
		uint8_t hash[KEY_LEN];
		hash_bytes(bytes_text(m->sql), hash);
		hex_encode(text, bytes_of(hash, sizeof hash));
		ask(m->sql);
		snprintf(row, sizeof row, "INSERT INTO fleetscale.migrations (version, name, checksum, least) VALUES (%u, '%s', '%s', %u)", m->version, m->name,
			 text, m->least);
		ask(row);
	}
}

/* A relay by the token of its region and one by its own, a region of one tailnet's own, one listed by hand, one on its way out; a node in each tailnet. */
static void fleet(void)
{
	ask("INSERT INTO fleetscale.installation (base_domain) VALUES ('x.test');"
	    "SELECT fleetscale.create_tailnet(n, '', '', NULL, NULL, true) FROM unnest('{default,other}'::text[]) n;"
	    "INSERT INTO fleetscale.users (tailnet_id, name, role) SELECT id, 'ann', 'owner' FROM fleetscale.tailnets;"
	    "INSERT INTO fleetscale.nodes (tailnet_id, user_id, machine_key, node_key, label, ip4, ip6) SELECT u.tailnet_id, u.id, sha256(u.id::text::bytea),"
	    " sha256(t.name::bytea), 'n', '100.64.0.9', 'fd7a:115c:a1e0::9' FROM fleetscale.users u JOIN fleetscale.tailnets t ON t.id = u.tailnet_id;"
	    "INSERT INTO fleetscale.policies (tailnet_id, version, text, note) SELECT id, 3, '{}', 'third' FROM fleetscale.tailnets;"
	    "INSERT INTO fleetscale.regions (id, code, name, client_rate) VALUES (900, 'a', 'A', 7), (901, 'b', 'B', 0);"
	    "UPDATE fleetscale.regions SET tailnets = ARRAY[(SELECT id FROM fleetscale.tailnets WHERE name = 'other')] WHERE id = 901;"
	    "INSERT INTO fleetscale.region_keys (region_id) VALUES (900), (901);"
	    "INSERT INTO fleetscale.relays (region_id, name, host_name, by_hand, last_seen) VALUES (901, 'hand', 'h', true, now()), (901, 'own', '', false, "
	    "NULL);"
	    "INSERT INTO fleetscale.relay_tokens (region_id, relay_id, prefix, hash) SELECT 901, id, name, sha256('x') FROM fleetscale.relays;"
	    "INSERT INTO fleetscale.relay_tokens (region_id, prefix, hash) VALUES (900, 'region', sha256('x'));");
	ask("SELECT fleetscale.relay_announce_by(t.id, 'one', 'one.example', '', '', '', 3478, 443, false, false, '1', false),"
	    " fleetscale.relay_announce_by(t.id, 'two', 'two.example', '', '', '', 3478, 443, false, false, '1', false)"
	    " FROM fleetscale.relay_tokens t WHERE t.prefix = 'region'");
	ask("SELECT fleetscale.relay_remove(id) FROM fleetscale.relays WHERE name = 'two'");
	ask("INSERT INTO fleetscale.authkeys (tailnet_id, user_id, prefix, hash) SELECT tailnet_id, id, tailnet_id, sha256('x') FROM fleetscale.users;"
	    "INSERT INTO fleetscale.apikeys (tailnet_id, prefix, hash) SELECT id, id, sha256('x') FROM fleetscale.tailnets;"
	    "INSERT INTO fleetscale.logins (tailnet_id, hash, machine_key, node_key, ends) SELECT tailnet_id, node_key, machine_key, node_key, now() FROM "
	    "fleetscale.nodes;"
	    "INSERT INTO fleetscale.ssh_checks (tailnet_id, hash, source_id, destination_id, local_user, ends) SELECT tailnet_id, node_key, id, id, 'root', "
	    "now()"
	    " FROM fleetscale.nodes;"
	    "INSERT INTO fleetscale.user_groups (tailnet_id, user_id, name) SELECT tailnet_id, id, 'group:g' FROM fleetscale.users;");
	ask("UPDATE fleetscale.tailnets SET suspended = true WHERE name = 'other'");
}

#define ROWS \
	"SELECT string_agg(r.name || ' ' || r.shown || ' ' || (r.deleted IS NULL), ', ' ORDER BY r.name) || '; ' || (SELECT count(*) FROM " \
	"fleetscale.relay_tokens) || ' ' || (SELECT count(*) FROM fleetscale.relay_rechecks) FROM fleetscale.relays r"
/* How many kinds have one, and a digest of all: by their numbers, and by their names. */
#define STATES \
	"SELECT set_config('fleetscale.tailnet', max(id)::text, false) FROM fleetscale.tailnets; SELECT count(DISTINCT k) || ' ' || count(DISTINCT k) FILTER " \
	"(WHERE i IS NULL) || ' ' || md5(string_agg(s::text, ' ' ORDER BY k, i, n)) FROM (SELECT k, i, n, fleetscale.audit_state(k, i, n) - " \
	"'{relayBytesPerSecond,relayBurstBytes,tailnetBytesPerSecond,tailnetBurstBytes,relays.fence," \
	"relays.omit,relays.noHome,relays.omitShared}'::text[] AS s FROM " \
	"unnest('{node,user,authkey,apikey,tailnet,policy,login,sshcheck,region,relay,relaytoken}'::text[]) k, (SELECT i, NULL FROM generate_series(1, 1000) " \
	"i " \
	"UNION ALL SELECT NULL, n FROM unnest(ARRAY['ann', 'other', 'one', 'region', (SELECT max(id)::text FROM fleetscale.tailnets), " \
	"encode(sha256('other'), 'hex')]) n) AS w (i, n)) AS f WHERE s IS NOT NULL"

static void the_last_release_becomes_this_one(void **state)
{
	struct diag why = {.text = ""};
	char rows[200], states[60];
	(void)state;
	release_before();
	fleet();
	snprintf(rows, sizeof rows, "%s", ask(ROWS));
	assert_string_equal(rows, "hand false true, one true true, own false true, two true false; 3 1");
	snprintf(states, sizeof states, "%s", ask(STATES));
	assert_int_equal(strncmp(states, "11 9 ", 5), 0);
	assert_int_equal(schema_migrate(&(struct schema_plan){.url = url}, &why), ERR_NONE);
	assert_int_equal(pg_check_schema(url, &why), ERR_NONE);
	assert_string_equal(ask(ROWS), rows);
	assert_string_equal(ask(STATES), states);
	assert_string_equal(ask("SELECT string_agg(g.client_rate || ' ' || g.tailnet_rate, ', ' ORDER BY g.id) FROM fleetscale.regions g"), "7 0, 0 0");
	/* Nothing of it is left over. */
	assert_string_equal(ask("SELECT count(*) FROM pg_proc WHERE proname LIKE 'audit_state_%'"), "0");
}

/* Coordinators of both releases have the relay in turn, while the programs are replaced. */
static void both_releases_hear_relays(void **state)
{
	(void)state;
	ask("SELECT fleetscale.relay_announce_by(t.id, 'one', 'one.example', '', '', '', 3478, 443, false, false, '1', false) FROM fleetscale.relay_tokens t"
	    " WHERE t.prefix = 'region'");
	ask("SELECT fleetscale.relay_announce_as('a', t.id, 'one', 'one.example', '', '', '', 3478, 443, false, false, '1', false) FROM "
	    "fleetscale.relay_tokens t"
	    " WHERE t.prefix = 'region'");
	ask("SELECT fleetscale.relay_announce_by(t.id, 'one', 'one.example', '', '', '', 3478, 444, false, false, '1', true) FROM fleetscale.relay_tokens t"
	    " WHERE t.prefix = 'region'");
	assert_string_equal(ask("SELECT instance || ' ' || relay_port || ' ' || draining FROM fleetscale.relays WHERE name = 'one'"), "a 444 true");
	assert_string_equal(ask("SELECT count(*) FROM fleetscale.relay_standing(sha256('default'), 900)"), "1");
	assert_string_equal(ask("SELECT fleetscale.may_relay_in(sha256('default'), 900)"), "t");
	assert_string_equal(ask("SELECT count(*) FROM fleetscale.relay_standing(sha256('other'), 900)"), "0");
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(the_last_release_becomes_this_one), cmocka_unit_test(both_releases_hear_relays)};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
