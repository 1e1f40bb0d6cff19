/* Writes and looks without a pool: what they leave in the tables, and what they refuse. */
#include "breakglass.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "checkup.h"
#include "log.h"
#include "store_fixture.h"

static struct fixture *fx;

static int set_up(void **state)
{
	(void)state;
	log_setup("breakglass_test", LOG_ERROR, LOG_TEXT);
	fx = fixture_new();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	fixture_free(&fx);
	return 0;
}

static int fresh(void **state)
{
	(void)state;
	fixture_database(fx);
	return 0;
}

static size_t make_key(const char *url, bool reset)
{
	struct secret secret;
	struct diag why = {0};
	size_t revoked;

	secret_mint(SECRET_API, &secret);
	assert_int_equal(breakglass_operator(url, &secret, "2030-01-01T00:00:00Z", reset, &revoked, &why), ERR_NONE);
	return revoked;
}

#define GOOD "SELECT count(*) FROM fleetscale.apikeys WHERE tailnet_id IS NULL AND revoked IS NULL AND expiry = '2030-01-01T00:00:00Z'"

static void a_reset_leaves_one_key(void **state)
{
	(void)state;
	assert_int_equal(make_key(fixture_owner(fx), false), 0);
	assert_int_equal(make_key(fixture_coordinator(fx), false), 0);
	fixture_sql(
		fx,
		"INSERT INTO fleetscale.apikeys (tailnet_id, prefix, hash) SELECT id, 'tailnets', decode(repeat('00', 32), 'hex') FROM fleetscale.tailnets");
	assert_string_equal(fixture_sql(fx, GOOD), "2");
	assert_int_equal(make_key(fixture_coordinator(fx), true), 2);
	assert_string_equal(fixture_sql(fx, GOOD), "1");
	assert_string_equal(fixture_sql(fx, "SELECT count(*) FROM fleetscale.apikeys WHERE tailnet_id IS NOT NULL AND revoked IS NULL"), "1");
	assert_string_equal(fixture_sql(fx, "SELECT string_agg(action, ' ' ORDER BY id) FROM fleetscale.audits WHERE tailnet_id = 0 AND actor = 'sql'"),
			    "apikey.create apikey.create apikey.expire apikey.expire apikey.create");
	assert_string_equal(fixture_sql(fx, "SELECT count(DISTINCT credential) FROM fleetscale.audits WHERE actor = 'sql'"), "2");
}

static void a_failure_leaves_nothing(void **state)
{
	struct secret secret;
	struct diag why = {0};
	size_t revoked;

	(void)state;
	make_key(fixture_owner(fx), false);
	secret_mint(SECRET_API, &secret);
	assert_int_not_equal(breakglass_operator(fixture_mapper(fx), &secret, "2030-01-01T00:00:00Z", true, &revoked, &why), ERR_NONE);
	assert_int_not_equal(breakglass_operator(fixture_coordinator(fx), &secret, "soon", true, &revoked, &why), ERR_NONE);
	assert_int_equal(breakglass_operator("host=/nowhere", &secret, "2030-01-01T00:00:00Z", true, &revoked, &why), ERR_UNAVAILABLE);
	assert_string_equal(fixture_sql(fx, GOOD), "1");
	assert_string_equal(fixture_sql(fx, "SELECT count(*) FROM fleetscale.audits"), "1");
}

#define GENERATION "SELECT g.generation FROM fleetscale.generations g JOIN fleetscale.tailnets t ON t.id = g.tailnet_id WHERE t.name = 'default'"

static void states_move_once(void **state)
{
	static const char *const columns[] = {
		[BREAKGLASS_FROZEN] = "SELECT frozen FROM fleetscale.tailnets", [BREAKGLASS_SUSPENDED] = "SELECT suspended FROM fleetscale.tailnets"};
	unsigned long stood = strtoul(fixture_sql(fx, GENERATION), NULL, 10);
	struct diag why = {0};
	bool changed;

	(void)state;
	for (enum breakglass_state s = BREAKGLASS_FROZEN; s <= BREAKGLASS_SUSPENDED; s++) {
		for (unsigned i = 0; i < 4; i++) {
			bool on = i < 2;

			assert_int_equal(breakglass_tailnet(fixture_coordinator(fx), "default", s, on, &changed, &why), ERR_NONE);
			assert_int_equal(changed, i % 2 == 0);
			stood += changed;
			assert_string_equal(fixture_sql(fx, columns[s]), on ? "t" : "f");
			assert_int_equal(strtoul(fixture_sql(fx, GENERATION), NULL, 10), stood);
		}
	}
	assert_string_equal(fixture_sql(fx, "SELECT after_state FROM fleetscale.audits ORDER BY id LIMIT 1"), "{\"frozen\": true}");
	assert_string_equal(fixture_sql(fx, "SELECT kind FROM fleetscale.journal ORDER BY generation DESC LIMIT 1"), "tailnet");
	assert_int_equal(breakglass_tailnet(fixture_coordinator(fx), "nobody", BREAKGLASS_FROZEN, true, &changed, &why), ERR_NOT_FOUND);
	assert_int_not_equal(breakglass_tailnet(fixture_mapper(fx), "default", BREAKGLASS_FROZEN, true, &changed, &why), ERR_NONE);
	assert_false(changed);
}

static void a_checkup_tells_who_and_when(void **state)
{
	struct checkup found;
	struct diag why = {0};
	struct wall now = clock_wall();

	(void)state;
	assert_int_equal(checkup_database(fixture_mapper(fx), &found, &why), ERR_NONE);
	assert_string_equal(found.role, "fleetscale_mapper");
	assert_false(found.unbound);
	assert_false(found.standby);
	assert_true(llabs(found.now.ns - now.ns) < 10000000000);
	assert_true(atoi(found.version) >= 15);
	assert_int_equal(checkup_database(fixture_owner(fx), &found, &why), ERR_NONE);
	assert_true(found.unbound);
	assert_int_equal(checkup_database("host=/nowhere", &found, &why), ERR_UNAVAILABLE);
	assert_true(strlen(why.text) > 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_reset_leaves_one_key, fresh),
		cmocka_unit_test_setup(a_failure_leaves_nothing, fresh),
		cmocka_unit_test_setup(states_move_once, fresh),
		cmocka_unit_test_setup(a_checkup_tells_who_and_when, fresh),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
