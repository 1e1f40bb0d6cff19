/* Versions of a policy, each guarded by the one before; roles and outer groups; and that keepers read all of it. */
#include "policies.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "attributes.h"
#include "census.h"
#include "nodes_fixture.h"
#include "users.h"

static unsigned at;
static uint64_t version, generation;
static struct diag said;
static struct policy_row *rows;
static size_t count;

static void see_put(void *context, struct tx *tx)
{
	(void)context;
	version = policies_read_put(tx, at);
	generation = tx_generation(tx);
}

static enum err put(struct pg *by, const char *text, int64_t expected)
{
	struct tx *tx = tx_begin(by, tailnet, TX_WRITE);

	at = policies_put(tx, &(struct policy_row){.text = bytes_text(text), .author = BYTES("apikey abc"), .note = BYTES("why")}, expected);
	return fixture_run(loop, tx, see_put, NULL, &said);
}

static void see_rows(void *context, struct tx *tx)
{
	(void)context;
	count = policies_read(tx, at, arena, &rows);
}

static void read_with(unsigned (*add)(struct tx *tx))
{
	struct tx *tx = tx_begin(pg, tailnet, TX_READ);

	at = add(tx);
	assert_int_equal(fixture_run(loop, tx, see_rows, NULL, NULL), ERR_NONE);
}

static void read_history(uint64_t before, unsigned limit)
{
	struct tx *tx = tx_begin(pg, tailnet, TX_READ);

	at = policies_history(tx, before, limit);
	assert_int_equal(fixture_run(loop, tx, see_rows, NULL, NULL), ERR_NONE);
}

static void versions_follow_each_other(void **state)
{
	static const char text[] = "// who\n{\"acls\": [],} /* \xc3\xa9 */\n";

	(void)state;
	read_with(policies_newest);
	assert_int_equal(count, 0);
	assert_int_equal(put(pg, text, 0), ERR_NONE);
	assert_true(version == 1 && generation);
	assert_string_equal(last_lines(), "policy");
	assert_int_equal(put(pg, "{}", 0), ERR_CONFLICT);
	assert_int_equal(put(other, "{}", 1), ERR_NONE);
	assert_int_equal(put(pg, "[]", 1), ERR_CONFLICT);
	assert_string_equal(said.text, "the policy was changed meanwhile: read it again");
	/* Equal text is a version too. */
	assert_int_equal(put(pg, "{}", POLICY_ANY_VERSION), ERR_NONE);
	assert_int_equal(version, 3);
	read_history(0, 2);
	assert_true(count == 2 && rows[0].version == 3 && rows[1].version == 2 && !rows[0].text.at && rows[0].size == 2);
	assert_true(bytes_equal_text(rows[0].author, "apikey abc") && bytes_equal_text(rows[0].note, "why"));
	read_history(2, 10);
	assert_true(count == 1 && rows[0].version == 1 && rows[0].size == sizeof text - 1);

	struct tx *tx = tx_begin(pg, tailnet, TX_READ);
	at = policies_get(tx, 1);
	assert_int_equal(fixture_run(loop, tx, see_rows, NULL, NULL), ERR_NONE);
	assert_true(count == 1 && bytes_equal_text(rows[0].text, text));
}

static void only_so_many_are_kept(void **state)
{
	char sql[256];

	(void)state;
	snprintf(sql, sizeof sql, "INSERT INTO fleetscale.policies (tailnet_id, version, text) SELECT %llu, n, '{}' FROM generate_series(1, %d) n",
		 (unsigned long long)tailnet, POLICIES_KEPT);
	fixture_sql(fx, sql);
	assert_int_equal(put(pg, "{}", POLICIES_KEPT), ERR_NONE);
	assert_string_equal(fixture_sql(fx, "SELECT min(version) || ' ' || max(version) || ' ' || count(*) FROM fleetscale.policies"), "2 1001 1000");
}

struct done {
	bool yes;
	enum err e;
	const struct census *census;
	const struct journal_read *read;
};

static void on_done(void *context, enum err e, struct tx *tx, const struct diag *why)
{
	(void)tx, (void)why;
	*(struct done *)context = (struct done){.yes = true, .e = e};
}

static void of_two_at_once_one_wins(void **state)
{
	struct done one = {0}, two = {0};
	struct tx *first = tx_begin(pg, tailnet, TX_WRITE), *second = tx_begin(other, tailnet, TX_WRITE);

	(void)state;
	policies_put(first, &(struct policy_row){.text = BYTES("{}")}, 0);
	policies_put(second, &(struct policy_row){.text = BYTES("[]")}, 0);
	tx_run(first, on_done, &one);
	tx_run(second, on_done, &two);
	assert_true(fixture_wait(loop, &one.yes, 10000) && fixture_wait(loop, &two.yes, 10000));
	assert_true((one.e == ERR_NONE) != (two.e == ERR_NONE));
	assert_int_equal(one.e ? one.e : two.e, ERR_CONFLICT);
	assert_string_equal(fixture_sql(fx, "SELECT count(*) FROM fleetscale.policies"), "1");
}

static void on_census(void *context, enum err e, const struct census *census)
{
	*(struct done *)context = (struct done){.yes = true, .e = e, .census = census};
}

static void on_read(void *context, enum err e, const struct journal_read *read)
{
	*(struct done *)context = (struct done){.yes = true, .e = e, .read = read};
}

static const struct census *take(void)
{
	struct done d = {0};

	census_take(pg, tailnet, arena, on_census, &d);
	assert_true(fixture_wait(loop, &d.yes, 10000));
	assert_int_equal(d.e, ERR_NONE);
	return d.census;
}

static const struct journal_read *since(const struct census *known)
{
	struct done d = {0};

	journal_since(pg, tailnet, known->generation, known->stamp, arena, on_read, &d);
	assert_true(fixture_wait(loop, &d.yes, 10000));
	assert_int_equal(d.e, ERR_NONE);
	return d.read;
}

static void keepers_read_it(void **state)
{
	struct joined joined = enroll(join_of(1, "pc"));
	const struct attribute said_of[] = {{.key = BYTES("custom:tier"), .value = BYTES("\"gold\"")}, {.key = BYTES("custom:level"), .value = BYTES("2")}};
	const struct census *before = take();
	struct tx *tx;

	(void)state;
	assert_true(!before->policy && before->fact_count == 0);
	assert_int_equal(put(pg, "{}", 0), ERR_NONE);
	tx = tx_begin(pg, tailnet, TX_WRITE);
	attributes_set(tx, joined.node.id, said_of, 2);
	assert_int_equal(fixture_run(loop, tx, NULL, NULL, NULL), ERR_NONE);
	assert_string_equal(last_lines(), "node-attributes");
	/* The same again tells nobody. */
	tx = tx_begin(pg, tailnet, TX_WRITE);
	attributes_set(tx, joined.node.id, said_of, 2);
	assert_int_equal(fixture_run(loop, tx, NULL, NULL, NULL), ERR_NONE);

	const struct journal_read *read = since(before);
	assert_true(read->line_count == 2 && read->lines[0].kind == CHANGE_POLICY && read->lines[1].kind == CHANGE_NODE_ATTRIBUTES);
	assert_true(read->policy && read->policy->version == 1 && bytes_equal_text(read->policy->text, "{}"));
	assert_true(read->node_count == 1 && read->fact_count == 2 && read->facts[0].node == joined.node.id);
	assert_true(bytes_equal_text(read->facts[0].key, "custom:level") && bytes_equal_text(read->facts[0].value, "2"));
	assert_true(bytes_equal_text(read->facts[1].key, "custom:tier") && bytes_equal_text(read->facts[1].value, "gold"));

	const struct census *after = take();
	assert_true(after->policy && after->policy->version == 1 && after->fact_count == 2);
	assert_true(!since(after)->policy);
}

static void see_user(void *context, struct tx *tx)
{
	struct user *users;

	assert_int_equal(users_read(tx, at, arena, &users), 1);
	*(struct user *)context = users[0];
}

static enum err place(uint64_t id, unsigned roles, const struct bytes *groups, size_t group_count, struct user *out)
{
	struct tx *tx = tx_begin(pg, tailnet, TX_WRITE);

	users_set_role(tx, id, roles);
	users_set_groups(tx, id, groups, group_count);
	at = users_get(tx, id);
	return fixture_run(loop, tx, out ? see_user : NULL, out, &said);
}

static void users_have_roles_and_groups(void **state)
{
	struct bytes groups[] = {BYTES("group:ops"), BYTES("group:dev")};
	struct user eve = {0}, bob = {0};
	const struct census *before = take();
	char number[32];

	(void)state;
	assert_true(before->users[0].roles == ROLE_MEMBER && before->users[0].group_count == 0);
	fixture_sql(fx, "INSERT INTO fleetscale.users (tailnet_id, name) SELECT id, 'bob' FROM fleetscale.tailnets");
	snprintf(number, sizeof number, "%s", fixture_sql(fx, "SELECT id FROM fleetscale.users WHERE name = 'bob'"));
	assert_int_equal(place(user, ROLE_OWNER | ROLE_ADMIN, groups, 2, &eve), ERR_NONE);
	assert_true(eve.roles == (ROLE_OWNER | ROLE_ADMIN) && eve.group_count == 2 && bytes_equal_text(eve.groups[0], "group:dev"));
	assert_string_equal(last_lines(), "user");
	/* One owner: the one before stays an administrator, and both are told. */
	assert_int_equal(place(strtoull(number, NULL, 10), ROLE_OWNER | ROLE_ADMIN, groups, 1, &bob), ERR_NONE);
	assert_string_equal(last_lines(), "user user");
	const struct journal_read *read = since(before);
	assert_true(read->user_count == 2 && read->users[0].roles == ROLE_ADMIN && read->users[1].roles == (ROLE_OWNER | ROLE_ADMIN));
	assert_true(read->users[0].group_count == 2 && read->users[1].group_count == 1);
	/* Nothing differs: nobody is told. */
	generation = strtoull(fixture_sql(fx, "SELECT max(generation) FROM fleetscale.generations"), NULL, 10);
	assert_int_equal(place(user, ROLE_ADMIN, groups, 2, NULL), ERR_NONE);
	assert_int_equal(strtoull(fixture_sql(fx, "SELECT max(generation) FROM fleetscale.generations"), NULL, 10), generation);
	assert_int_equal(place(999999, ROLE_ADMIN, groups, 2, NULL), ERR_NOT_FOUND);
	assert_int_equal(place(user, ROLE_AUDITOR, NULL, 0, &eve), ERR_NONE);
	assert_true(eve.roles == ROLE_AUDITOR && eve.group_count == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(versions_follow_each_other, nodes_fixture_open, nodes_fixture_close),
		cmocka_unit_test_setup_teardown(only_so_many_are_kept, nodes_fixture_open, nodes_fixture_close),
		cmocka_unit_test_setup_teardown(of_two_at_once_one_wins, nodes_fixture_open, nodes_fixture_close),
		cmocka_unit_test_setup_teardown(keepers_read_it, nodes_fixture_open, nodes_fixture_close),
		cmocka_unit_test_setup_teardown(users_have_roles_and_groups, nodes_fixture_open, nodes_fixture_close),
	};
	return cmocka_run_group_tests(tests, nodes_fixture_start, nodes_fixture_stop);
}
