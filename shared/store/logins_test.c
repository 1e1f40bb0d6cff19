/* Interactive logins in a real database: who may answer, who wins, what is refused, and what is removed when. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "logins.h"
#include "nodes_fixture.h"
#include "prune.h"

enum { LIFETIME_MS = 900000, MOST = 100 };

struct begun {
	bool done;
	enum err e;
	char why[DIAG_TEXT_MAX];
};

static void on_begun(void *context, enum err e, const struct diag *why)
{
	struct begun *b = context;
	b->done = true;
	b->e = e;
	snprintf(b->why, sizeof b->why, "%s", e ? why->text : "");
}

static struct login asking(uint8_t machine)
{
	static struct prefix routes[1];
	struct login l = {.label = BYTES("laptop"),
			  .hostinfo = BYTES("{\"OS\":\"linux\"}"),
			  .capver = 113,
			  .routes = routes,
			  .route_count = 1,
			  .wanted_expiry = WALL_ZERO,
			  .address = BYTES("192.0.2.7")};
	assert_int_equal(prefix_parse(BYTES("10.1.0.0/16"), &routes[0]), ERR_NONE);
	memset(l.machine_key.raw, machine, KEY_LEN);
	memset(l.node_key.raw, machine + 100, KEY_LEN);
	return l;
}

static struct begun begin_as(struct login_id *id, const struct login *login, const char *host, int64_t lifetime_ms, unsigned most)
{
	struct begun b = {0};
	login_id_mint(id);
	logins_begin(pg, id, login, bytes_text(host), lifetime_ms, most, on_begun, &b);
	assert_false(b.done);
	assert_true(fixture_wait(loop, &b.done, 10000));
	return b;
}

static struct login_id begin(uint8_t machine)
{
	struct login_id id;
	struct login login = asking(machine);
	assert_int_equal(begin_as(&id, &login, "", LIFETIME_MS, MOST).e, ERR_NONE);
	return id;
}

struct found {
	bool done;
	enum err e;
	struct logins_found found;
};

static void on_found(void *context, enum err e, const struct logins_found *found)
{
	*(struct found *)context = (struct found){true, e, *found};
}

static struct logins_found find(const struct login_id *id)
{
	struct found f = {0};
	logins_find(other, id->hash, arena, on_found, &f);
	assert_false(f.done);
	assert_true(fixture_wait(loop, &f.done, 10000));
	assert_int_equal(f.e, ERR_NONE);
	return f.found;
}

static struct enrollment joins(uint8_t machine)
{
	struct login login = asking(machine);
	struct enrollment e = join_of(machine, "laptop");
	e.machine_key = login.machine_key;
	e.node_key = login.node_key;
	e.routes = login.routes;
	e.route_count = login.route_count;
	e.register_method = REGISTER_CLI;
	return e;
}

static struct diag why;

static enum err enroll_in(struct pg *with, uint64_t in, const struct login_id *id, uint8_t machine)
{
	struct tx *tx = tx_begin(with, in, TX_WRITE);
	struct enrollment e = joins(machine);
	unsigned row = logins_enroll(tx, id->hash, &e);
	why = (struct diag){0};
	return fixture_run(loop, tx, see_node, &row, &why);
}

static enum err reject_in(uint64_t in, const struct login_id *id)
{
	struct tx *tx = tx_begin(other, in, TX_WRITE);
	logins_refuse(tx, id->hash, BYTES("not you"));
	why = (struct diag){0};
	return fixture_run(loop, tx, NULL, NULL, &why);
}

static void a_login_is_found_as_it_was_begun(void **state)
{
	struct login_id id = begin(1), unknown;
	struct logins_found f = find(&id);
	(void)state;
	assert_non_null(f.login);
	assert_true(f.left_ms > LIFETIME_MS - 20000 && f.left_ms <= LIFETIME_MS);
	assert_true(bytes_equal_text(f.login->label, "laptop") && bytes_equal_text(f.login->hostinfo, "{\"OS\":\"linux\"}"));
	assert_true(bytes_equal_text(f.login->address, "192.0.2.7"));
	assert_int_equal(f.login->machine_key.raw[5], 1);
	assert_int_equal(f.login->node_key.raw[5], 101);
	assert_true(key_is_zero(f.login->old_node_key.raw) && wall_is_zero(f.login->wanted_expiry));
	assert_int_equal(f.login->route_count, 1);
	assert_int_equal(f.login->tailnet, 0);
	assert_int_equal(f.renews.len, 0);
	assert_false(login_answered(f.login));
	login_id_mint(&unknown);
	assert_null(find(&unknown).login);
	/* No id is kept, only its hash. */
	assert_string_equal(fixture_sql(fx, "SELECT count(*) FROM fleetscale.logins l WHERE l::text LIKE '%authreq%'"), "0");
}

static void a_login_becomes_a_node_once(void **state)
{
	struct login_id id = begin(1);
	(void)state;
	assert_int_equal(enroll_in(pg, tailnet, &id, 1), ERR_NONE);
	assert_true(bytes_equal_text(seen.label, "laptop") && seen.user == user && seen.register_method == REGISTER_CLI);
	assert_int_equal(seen.advertised_count, 1);
	assert_string_equal(last_lines(), "node-added");
	assert_true(find(&id).login->node == seen.id && find(&id).login->tailnet == tailnet);
	assert_int_equal(enroll_in(other, tailnet, &id, 1), ERR_CONFLICT);
	assert_string_equal(why.text, "the login was answered already");
	assert_int_equal(reject_in(tailnet, &id), ERR_CONFLICT);
	/* A second login of the same machine and user, answered by somebody who read before the first was. */
	id = begin(1);
	assert_int_equal(enroll_in(pg, tailnet, &id, 1), ERR_CONFLICT);
	assert_string_equal(why.text, "this machine joined meanwhile");
	assert_string_equal(fixture_sql(fx, "SELECT count(*) FROM fleetscale.nodes"), "1");
	/* Refused as a whole: it can still be answered. */
	assert_false(login_answered(find(&id).login));
}

static void a_refused_login_stays_refused(void **state)
{
	struct login_id id = begin(1);
	(void)state;
	assert_int_equal(reject_in(tailnet, &id), ERR_NONE);
	assert_true(find(&id).login->refused);
	assert_true(bytes_equal_text(find(&id).login->refusal, "not you"));
	assert_int_equal(enroll_in(pg, tailnet, &id, 1), ERR_CONFLICT);
	assert_int_equal(reject_in(tailnet, &id), ERR_CONFLICT);
	assert_string_equal(fixture_sql(fx, "SELECT count(*) FROM fleetscale.nodes"), "0");
}

static void a_login_renews_a_node(void **state)
{
	struct joined in = enroll(join_of(1, "laptop"));
	struct login login = asking(1);
	struct enrollment e = joins(1);
	struct login_id id;
	(void)state;
	login.old_node_key = in.node.node_key;
	assert_int_equal(begin_as(&id, &login, "", LIFETIME_MS, MOST).e, ERR_NONE);
	assert_true(bytes_equal_text(find(&id).renews, "laptop"));
	struct tx *tx = tx_begin(pg, tailnet, TX_WRITE);
	logins_take(tx, id.hash, in.node.id);
	unsigned row = nodes_rekey(tx, in.node.id, &in.node.node_key, &e);
	assert_int_equal(fixture_run(loop, tx, see_node, &row, &why), ERR_NONE);
	assert_true(seen.id == in.node.id && key_equal(seen.node_key.raw, login.node_key.raw));
	assert_true(find(&id).login->node == in.node.id);
	/* Answered by another meanwhile: the node stays as it was. */
	e.node_key.raw[0] ^= 1;
	tx = tx_begin(pg, tailnet, TX_WRITE);
	logins_take(tx, id.hash, in.node.id);
	nodes_rekey(tx, in.node.id, &login.node_key, &e);
	assert_int_equal(fixture_run(loop, tx, NULL, NULL, &why), ERR_CONFLICT);
	/* The old key of a machine names nothing to another machine. */
	login = asking(2);
	login.old_node_key = seen.node_key;
	assert_int_equal(begin_as(&id, &login, "", LIFETIME_MS, MOST).e, ERR_NONE);
	assert_int_equal(find(&id).renews.len, 0);
}

static uint64_t second_tailnet(void)
{
	return strtoull(fixture_sql(fx, "SELECT set_config('fleetscale.tailnet', '0', false); "
					"SELECT (fleetscale.create_tailnet('second', '', '', NULL, NULL, true)).id"),
			NULL, 10);
}

static void ended_and_foreign_logins_look_unknown(void **state)
{
	uint64_t second = second_tailnet();
	struct login login = asking(1);
	struct login_id unknown, ended, bound, taken = begin(4);
	(void)state;
	login_id_mint(&unknown);
	assert_int_equal(enroll_in(pg, tailnet, &unknown, 1), ERR_NOT_FOUND);
	assert_string_equal(why.text, "no such pending login");
	assert_int_equal(begin_as(&ended, &login, "", 1, MOST).e, ERR_NONE);
	fixture_sql(fx, "SELECT pg_sleep(0.01)");
	assert_true(find(&ended).left_ms <= 0);
	assert_int_equal(enroll_in(pg, tailnet, &ended, 1), ERR_NOT_FOUND);
	assert_string_equal(why.text, "no such pending login");
	fixture_sql(fx, "UPDATE fleetscale.tailnets SET login_host = 'second.example.com' WHERE name = 'second'");
	assert_int_equal(begin_as(&bound, &login, "second.example.com", LIFETIME_MS, MOST).e, ERR_NONE);
	assert_true(find(&bound).login->tailnet == second);
	assert_int_equal(enroll_in(pg, tailnet, &bound, 1), ERR_NOT_FOUND);
	assert_int_equal(reject_in(tailnet, &bound), ERR_NOT_FOUND);
	assert_string_equal(why.text, "no such pending login");
	/* One that another tailnet answered. */
	assert_int_equal(reject_in(second, &taken), ERR_NONE);
	assert_int_equal(reject_in(tailnet, &taken), ERR_NOT_FOUND);
	assert_int_equal(reject_in(second, &bound), ERR_NONE);
}

struct rival {
	bool done;
	enum err e;
	unsigned *left;
	bool *all_done;
};

static void on_rival(void *context, enum err e, struct tx *tx, const struct diag *reason)
{
	struct rival *r = context;
	(void)tx, (void)reason;
	r->e = e;
	if (--*r->left == 0)
		*r->all_done = true;
}

static void of_many_who_answer_one_wins(void **state)
{
	enum { RIVALS = 12 };
	struct rival rivals[RIVALS];
	struct login_id id = begin(1);
	unsigned left = RIVALS, won = 0;
	bool all_done = false;
	(void)state;
	for (unsigned i = 0; i < RIVALS; i++) {
		struct tx *tx = tx_begin(i % 2 ? pg : other, tailnet, TX_WRITE);
		struct enrollment e = joins(1);
		rivals[i] = (struct rival){.left = &left, .all_done = &all_done};
		if (i % 3)
			logins_enroll(tx, id.hash, &e);
		else
			logins_refuse(tx, id.hash, BYTES("no"));
		tx_run(tx, on_rival, &rivals[i]);
	}
	assert_true(fixture_wait(loop, &all_done, 20000));
	for (unsigned i = 0; i < RIVALS; i++) {
		won += rivals[i].e == ERR_NONE;
		assert_true(rivals[i].e == ERR_NONE || rivals[i].e == ERR_CONFLICT);
	}
	assert_int_equal(won, 1);
	assert_string_equal(
		fixture_sql(fx, "SELECT (SELECT count(*) FROM fleetscale.nodes) + (SELECT count(*) FROM fleetscale.logins WHERE refusal IS NOT NULL)"), "1");
}

static void few_wait_for_a_machine_and_for_all(void **state)
{
	struct login login = asking(1);
	struct login_id ids[6], id;
	struct begun full;
	(void)state;
	for (unsigned i = 0; i < 6; i++)
		ids[i] = begin(1);
	assert_null(find(&ids[0]).login);
	assert_null(find(&ids[1]).login);
	assert_non_null(find(&ids[2]).login);
	assert_non_null(find(&ids[5]).login);
	login = asking(2);
	full = begin_as(&id, &login, "", LIFETIME_MS, 4);
	assert_int_equal(full.e, ERR_EXHAUSTED);
	assert_string_equal(full.why, "too many logins wait for an answer");
	assert_int_equal(begin_as(&id, &login, "", LIFETIME_MS, 5).e, ERR_NONE);
	/* Who has one answered makes room. */
	assert_int_equal(reject_in(tailnet, &ids[5]), ERR_NONE);
	assert_int_equal(begin_as(&id, &login, "", LIFETIME_MS, 5).e, ERR_NONE);
}

static void limits_of_the_tailnet_hold_inside(void **state)
{
	struct login login = asking(9);
	struct login_id id = begin(1), bound;
	struct begun refused;
	struct joined full;
	(void)state;
	fixture_sql(fx, "UPDATE fleetscale.tailnets SET node_limit = 2, login_host = 'here.example.com'");
	assert_int_equal(enroll(join_of(51, "a")).e, ERR_NONE);
	assert_int_equal(enroll(join_of(52, "b")).e, ERR_NONE);
	full = enroll(join_of(53, "c"));
	assert_int_equal(full.e, ERR_EXHAUSTED);
	assert_string_equal(full.why.text, "this tailnet has reached its limit of 2 nodes");
	assert_int_equal(enroll_in(pg, tailnet, &id, 1), ERR_EXHAUSTED);
	assert_false(login_answered(find(&id).login));
	fixture_sql(fx, "UPDATE fleetscale.tailnets SET node_limit = 3");
	assert_int_equal(enroll_in(pg, tailnet, &id, 1), ERR_NONE);
	fixture_sql(fx, "UPDATE fleetscale.tailnets SET node_limit = 0, frozen = true");
	full = enroll(join_of(54, "d"));
	assert_int_equal(full.e, ERR_DENIED);
	assert_string_equal(full.why.text, "this tailnet admits no machine at present");
	refused = begin_as(&bound, &login, "here.example.com", LIFETIME_MS, MOST);
	assert_int_equal(refused.e, ERR_DENIED);
	assert_string_equal(refused.why, "this tailnet admits no machine at present");
	fixture_sql(fx, "UPDATE fleetscale.tailnets SET suspended = true");
	full = enroll(join_of(55, "e"));
	assert_int_equal(full.e, ERR_DENIED);
	assert_string_equal(full.why.text, "this tailnet is suspended");
	/* Renewals too. */
	struct tx *tx = tx_begin(pg, tailnet, TX_WRITE);
	struct enrollment e = join_of(51, "a");
	struct node_key was = e.node_key;
	e.node_key.raw[0] ^= 1;
	nodes_rekey(tx, 1, &was, &e);
	assert_int_equal(fixture_run(loop, tx, NULL, NULL, &why), ERR_DENIED);
}

struct listed {
	unsigned row;
	size_t count;
};

static void see_list(void *context, struct tx *tx)
{
	struct listed *l = context;
	struct login *logins;
	l->count = logins_read(tx, l->row, tx_arena(tx), &logins);
}

static size_t list_in(uint64_t in)
{
	struct tx *tx = tx_begin(pg, in, TX_READ);
	struct listed l = {.row = logins_page(tx, 0, 10)};
	assert_int_equal(fixture_run(loop, tx, see_list, &l, NULL), ERR_NONE);
	return l.count;
}

static void a_tailnet_lists_its_own(void **state)
{
	uint64_t second = second_tailnet();
	struct login login = asking(3);
	struct login_id id;
	(void)state;
	begin(1);
	fixture_sql(fx, "UPDATE fleetscale.tailnets SET login_host = 'second.example.com' WHERE name = 'second'");
	assert_int_equal(begin_as(&id, &login, "second.example.com", LIFETIME_MS, MOST).e, ERR_NONE);
	assert_int_equal(list_in(tailnet), 0);
	assert_int_equal(list_in(second), 1);
	assert_int_equal(reject_in(second, &id), ERR_NONE);
	assert_int_equal(list_in(second), 0);
}

struct pruned {
	bool done;
	enum err e;
	uint64_t removed;
};

static void on_pruned(void *context, enum err e, uint64_t removed)
{
	*(struct pruned *)context = (struct pruned){true, e, removed};
}

static void old_ones_are_removed(void **state)
{
	struct login_id id = begin(1);
	struct pruned p = {0};
	(void)state;
	begin(2);
	fixture_sql(fx, "UPDATE fleetscale.logins SET ends = now() - interval '2 hours' WHERE machine_key = decode(repeat('01', 32), 'hex')");
	prune_logins(pg, 3600000, on_pruned, &p);
	assert_true(fixture_wait(loop, &p.done, 10000));
	assert_int_equal(p.e, ERR_NONE);
	assert_int_equal(p.removed, 1);
	assert_null(find(&id).login);
	assert_string_equal(fixture_sql(fx, "SELECT count(*) FROM fleetscale.logins"), "1");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, nodes_fixture_open, nodes_fixture_close)

static struct begun begin_from(const char *address)
{
	struct login_id id;
	struct login login = asking(7);
	login.address = bytes_text(address);
	random_fill(login.machine_key.raw, KEY_LEN);
	return begin_as(&id, &login, "", LIFETIME_MS, 1000);
}

static void one_address_does_not_fill_the_line(void **state)
{
	static const char fill[] =
		"SELECT count(fleetscale.login_begin(sha256(n::text::bytea), sha256(('m' || n)::bytea), sha256('n'), NULL, sha256('l'), 'pc', "
		"'{}', 113, '{}', NULL, false, %s, '', 900000, 1000)) FROM generate_series(%d, %d) n";
	char sql[400];
	(void)state;
	snprintf(sql, sizeof sql, fill, "'192.0.2.7'", 1, 100);
	assert_string_equal(fixture_sql(fx, sql), "100");
	struct begun b = begin_from("192.0.2.7");
	assert_int_equal(b.e, ERR_EXHAUSTED);
	assert_string_equal(b.why, "too many logins from this address wait for an answer");
	assert_int_equal(begin_from("192.0.2.8").e, ERR_NONE);
	/* A whole /64 is one. */
	snprintf(sql, sizeof sql, fill, "'2001:db8::' || n", 101, 200);
	assert_string_equal(fixture_sql(fx, sql), "100");
	assert_int_equal(begin_from("2001:db8::ffff:1").e, ERR_EXHAUSTED);
	assert_int_equal(begin_from("2001:db8:0:1::1").e, ERR_NONE);
	/* Who is not known is not counted, and what was answered or has ended takes no place. */
	snprintf(sql, sizeof sql, fill, "''", 201, 301);
	assert_string_equal(fixture_sql(fx, sql), "101");
	fixture_sql(fx, "WITH w AS (UPDATE fleetscale.logins SET refusal = 'no' WHERE address = '192.0.2.7' RETURNING 1) SELECT count(*) FROM w");
	assert_int_equal(begin_from("192.0.2.7").e, ERR_NONE);
}

static enum err make_up(void)
{
	struct login_id id;
	struct login login = asking(9);
	struct tx *tx = tx_begin(pg, tailnet, TX_WRITE);
	login_id_mint(&id);
	logins_make_up(tx, &id, &login, BYTES("default"), LIFETIME_MS);
	return fixture_run(loop, tx, NULL, NULL, NULL);
}

static void a_tailnet_makes_up_few(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(make_up(), ERR_NONE);
	assert_int_equal(make_up(), ERR_EXHAUSTED);
	fixture_sql(fx, "WITH w AS (UPDATE fleetscale.logins SET ends = now() RETURNING 1) SELECT count(*) FROM w");
	assert_int_equal(make_up(), ERR_NONE);
}

/* With tags there is no user; the machine has one such node by logins. Its address comes from the pools. */
static void a_login_becomes_a_tagged_node(void **state)
{
	struct login_id first = begin(1), second = begin(1);
	struct bytes web = BYTES("tag:web");
	struct prefix pool = {{IP_V4, {100, 81, 0, 7}}, 32};
	struct enrollment e = joins(1);
	(void)state;
	e.user = 0;
	e.tags = &web;
	e.tag_count = 1;
	e.pools = &pool;
	e.pool_count = 1;
	struct tx *tx = tx_begin(pg, tailnet, TX_WRITE);
	logins_enroll(tx, first.hash, &e);
	assert_int_equal(fixture_run(loop, tx, NULL, NULL, NULL), ERR_NONE);
	assert_string_equal(fixture_sql(fx, "SELECT host(ip4) || ' ' || array_to_string(tags, ',') || ' ' || coalesce(user_id, 0) FROM fleetscale.nodes"),
			    "100.81.0.7 tag:web 0");
	tx = tx_begin(pg, tailnet, TX_WRITE);
	why = (struct diag){0};
	e.node_key.raw[7] ^= 1;
	logins_enroll(tx, second.hash, &e);
	assert_int_equal(fixture_run(loop, tx, NULL, NULL, &why), ERR_CONFLICT);
	assert_string_equal(why.text, "this machine joined meanwhile");
	/* Another machine: the pool is full, and the login still waits. */
	struct login_id third = begin(2);
	struct enrollment other_machine = joins(2);
	other_machine.pools = &pool;
	other_machine.pool_count = 1;
	tx = tx_begin(pg, tailnet, TX_WRITE);
	logins_enroll(tx, third.hash, &other_machine);
	assert_int_equal(fixture_run(loop, tx, NULL, NULL, &why), ERR_EXHAUSTED);
	assert_string_equal(fixture_sql(fx, "SELECT count(*) FROM fleetscale.logins WHERE node_id IS NULL AND refusal IS NULL"), "2");
	other_machine.pool_count = 0;
	tx = tx_begin(pg, tailnet, TX_WRITE);
	logins_enroll(tx, third.hash, &other_machine);
	assert_int_equal(fixture_run(loop, tx, NULL, NULL, NULL), ERR_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_login_is_found_as_it_was_begun),
		TEST(a_login_becomes_a_node_once),
		TEST(a_refused_login_stays_refused),
		TEST(a_login_renews_a_node),
		TEST(ended_and_foreign_logins_look_unknown),
		TEST(of_many_who_answer_one_wins),
		TEST(few_wait_for_a_machine_and_for_all),
		TEST(limits_of_the_tailnet_hold_inside),
		TEST(a_tailnet_lists_its_own),
		TEST(old_ones_are_removed),
		cmocka_unit_test_setup_teardown(a_login_becomes_a_tagged_node, nodes_fixture_open, nodes_fixture_close),
		cmocka_unit_test_setup_teardown(one_address_does_not_fill_the_line, nodes_fixture_open, nodes_fixture_close),
		cmocka_unit_test_setup_teardown(a_tailnet_makes_up_few, nodes_fixture_open, nodes_fixture_close),
	};
	return cmocka_run_group_tests(tests, nodes_fixture_start, nodes_fixture_stop);
}
