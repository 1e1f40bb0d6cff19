/* Audits that end, on a real database. Journal and logins: journal_test.c, logins_test.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "nodes_fixture.h"
#include "prune.h"

struct pruned {
	bool done;
	enum err e;
	uint64_t removed;
};

static void on_pruned(void *context, enum err e, uint64_t removed)
{
	*(struct pruned *)context = (struct pruned){true, e, removed};
}

static struct pruned prune(int64_t kept_ms, uint64_t most)
{
	struct pruned p = {0};
	prune_audits(pg, kept_ms, most, on_pruned, &p);
	assert_false(p.done);
	assert_true(fixture_wait(loop, &p.done, 10000));
	return p;
}

static void old_audits_go_some_at_a_time(void **state)
{
	(void)state;
	fixture_sql(fx, "DELETE FROM fleetscale.audits");
	fixture_sql(fx,
		    "INSERT INTO fleetscale.audits (tailnet_id, at, actor, action) SELECT n % 3, now() - (10 - n) * interval '1 hour', 'socket', 'user.create' "
		    "FROM generate_series(1, 9) n");
	struct pruned p = prune(150 * 60000, 5); /* two and a half hours */
	assert_true(p.e == ERR_NONE && p.removed == 5);
	assert_true((p = prune(150 * 60000, 5)).e == ERR_NONE && p.removed == 2);
	assert_true((p = prune(150 * 60000, 5)).e == ERR_NONE && p.removed == 0);
	assert_string_equal(fixture_sql(fx, "SELECT count(*) FROM fleetscale.audits"), "2");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, nodes_fixture_open, nodes_fixture_close)

int main(void)
{
	const struct CMUnitTest tests[] = {TEST(old_audits_go_some_at_a_time)};

	return cmocka_run_group_tests(tests, nodes_fixture_start, nodes_fixture_stop);
}
