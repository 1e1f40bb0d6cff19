/* Checks of SSH rules in a real database: who may ask, how many wait, who wins, what is remembered of whom, what is removed when. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "nodes_fixture.h"
#include "prune.h"
#include "sshchecks.h"

enum { LIFETIME_MS = 900000 };

static const struct sshchecks_caps roomy = {10, 100, 1000};
static struct diag why;
static struct node laptop, server;

static int open_pair(void **state)
{
	int r = nodes_fixture_open(state);

	laptop = enroll(join_of(1, "laptop")).node;
	server = enroll(join_of(2, "server")).node;
	return r;
}

static enum err begin_of(struct login_id *id, uint64_t source, uint64_t destination, int64_t lifetime_ms, struct sshchecks_caps caps)
{
	struct tx *tx = tx_begin(pg, tailnet, TX_WRITE);
	const struct sshcheck_login login = {source, destination, user, BYTES("root")};

	login_id_mint(id);
	sshchecks_begin(tx, id, &login, lifetime_ms, caps);
	why = (struct diag){.text = ""};
	return fixture_run(loop, tx, NULL, NULL, &why);
}

static struct login_id begin(void)
{
	struct login_id id;

	assert_int_equal(begin_of(&id, laptop.id, server.id, LIFETIME_MS, roomy), ERR_NONE);
	return id;
}

struct seen_answer {
	unsigned row;
	size_t count;
	uint8_t hashes[8][LOGIN_HASH_LEN];
};

static void see_answer(void *context, struct tx *tx)
{
	struct seen_answer *s = context;
	const uint8_t(*hashes)[LOGIN_HASH_LEN];

	s->count = sshchecks_read_answer(tx, s->row, arena, &hashes);
	for (size_t i = 0; i < s->count && i < COUNT_OF(s->hashes); i++)
		memcpy(s->hashes[i], hashes[i], LOGIN_HASH_LEN);
}

static enum err answer_in(struct pg *with, uint64_t in, const struct login_id *id, const char *reason, struct seen_answer *seen_answer)
{
	struct tx *tx = tx_begin(with, in, TX_WRITE);

	seen_answer->row = sshchecks_answer(tx, id->hash, bytes_text(reason));
	why = (struct diag){.text = ""};
	return fixture_run(loop, tx, see_answer, seen_answer, &why);
}

static enum err approve(const struct login_id *id)
{
	struct seen_answer s;

	return answer_in(other, tailnet, id, "", &s);
}

struct found {
	bool done;
	enum err e;
	bool there;
	struct sshchecks_found found;
};

static void on_found(void *context, enum err e, const struct sshchecks_found *found)
{
	struct found *f = context;

	f->done = true;
	f->e = e;
	f->there = found;
	if (found)
		f->found = *found;
}

static struct found find(const struct login_id *id)
{
	struct found f = {.there = false};

	sshchecks_find(other, id->hash, arena, on_found, &f);
	assert_false(f.done);
	assert_true(fixture_wait(loop, &f.done, 10000));
	assert_int_equal(f.e, ERR_NONE);
	return f;
}

struct seen_signin {
	unsigned row;
	int64_t age_ms;
};

static void see_signin(void *context, struct tx *tx)
{
	struct seen_signin *s = context;

	s->age_ms = sshchecks_read_signin(tx, s->row);
}

static int64_t signin_age(uint64_t in, uint64_t node)
{
	struct tx *tx = tx_begin(other, in, TX_READ);
	struct seen_signin s = {.row = sshchecks_signin(tx, node)};

	assert_int_equal(fixture_run(loop, tx, see_signin, &s, NULL), ERR_NONE);
	return s.age_ms;
}

struct destination {
	bool done;
	uint64_t tailnet;
};

static void on_destination(void *context, enum err e, uint64_t found)
{
	assert_int_equal(e, ERR_NONE);
	*(struct destination *)context = (struct destination){true, found};
}

static uint64_t destination(uint64_t node, const struct machine_key *machine)
{
	struct destination d = {.done = false};

	sshchecks_destination(pg, node, machine, on_destination, &d);
	assert_true(fixture_wait(loop, &d.done, 10000));
	return d.tailnet;
}

/* Of its own machine, approved, not expired, its tailnet not suspended. */
static void destinations(void **state)
{
	(void)state;
	assert_true(destination(server.id, &server.machine_key) == tailnet);
	assert_true(destination(server.id, &laptop.machine_key) == 0);
	assert_true(destination(1 << 30, &server.machine_key) == 0);
	fixture_sql(fx, "UPDATE fleetscale.nodes SET approved = false WHERE label = 'server'");
	assert_true(destination(server.id, &server.machine_key) == 0);
	fixture_sql(fx, "UPDATE fleetscale.nodes SET approved = true, expiry = now() - interval '1 second' WHERE label = 'server'");
	assert_true(destination(server.id, &server.machine_key) == 0);
	fixture_sql(fx, "UPDATE fleetscale.nodes SET expiry = NULL");
	fixture_sql(fx, "UPDATE fleetscale.tailnets SET suspended = true");
	assert_true(destination(server.id, &server.machine_key) == 0);
}

static void a_check_is_found_as_it_was_begun(void **state)
{
	struct login_id id = begin(), unknown;
	struct found f = find(&id);

	(void)state;
	assert_true(f.there && f.found.left_ms > LIFETIME_MS - 20000 && f.found.left_ms <= LIFETIME_MS);
	assert_true(f.found.check.source == laptop.id && f.found.check.destination == server.id && f.found.check.user == user);
	assert_true(f.found.check.tailnet == tailnet && bytes_equal_text(f.found.check.local_user, "root"));
	assert_true(bytes_equal_text(f.found.source, "laptop") && bytes_equal_text(f.found.destination, "server"));
	assert_false(f.found.check.answered || f.found.check.refusal.at);
	login_id_mint(&unknown);
	assert_false(find(&unknown).there);
	assert_string_equal(fixture_sql(fx, "SELECT count(*) FROM fleetscale.ssh_checks k WHERE k::text LIKE '%authreq%'"), "0");
	assert_int_equal(begin_of(&id, laptop.id, 1 << 30, LIFETIME_MS, roomy), ERR_NOT_FOUND);
	assert_int_equal(begin_of(&id, 1 << 30, server.id, LIFETIME_MS, roomy), ERR_NOT_FOUND);
}

static void the_first_answer_wins_and_is_remembered(void **state)
{
	struct login_id id = begin(), second = begin(), third = begin();
	struct seen_answer s;
	struct found f;

	(void)state;
	assert_true(signin_age(tailnet, laptop.id) < 0);
	assert_int_equal(answer_in(pg, tailnet, &third, "not you", &s), ERR_NONE);
	assert_int_equal(s.count, 1);
	f = find(&third);
	assert_true(sshcheck_refused(&f.found.check) && signin_age(tailnet, laptop.id) < 0);
	assert_int_equal(answer_in(pg, tailnet, &id, "", &s), ERR_NONE);
	/* Its own, and the one that waits at the same source. */
	assert_int_equal(s.count, 2);
	f = find(&id);
	assert_true(f.found.check.answered && !sshcheck_refused(&f.found.check));
	assert_false(find(&second).found.check.answered);
	assert_true(signin_age(tailnet, laptop.id) >= 0 && signin_age(tailnet, laptop.id) < 60000);
	assert_true(signin_age(tailnet, server.id) < 0);
	assert_int_equal(approve(&id), ERR_CONFLICT);
	assert_string_equal(why.text, "the login was answered already");
	assert_int_equal(answer_in(other, tailnet, &third, "", &s), ERR_CONFLICT);
	assert_int_equal(approve(&second), ERR_NONE);
}

static void an_answer_counts_a_while_longer(void **state)
{
	struct login_id id = begin(), late;

	(void)state;
	assert_int_equal(approve(&id), ERR_NONE);
	fixture_sql(fx, "UPDATE fleetscale.ssh_checks SET ends = now() - interval '1 minute'");
	assert_true(find(&id).found.left_ms > 200000);
	fixture_sql(fx, "UPDATE fleetscale.ssh_checks SET answered = now() - interval '6 minutes'");
	assert_true(find(&id).found.left_ms <= 0);
	assert_int_equal(begin_of(&late, laptop.id, server.id, -1000, roomy), ERR_NONE);
	assert_true(find(&late).found.left_ms <= 0);
	assert_int_equal(approve(&late), ERR_NOT_FOUND);
}

/* A node that became somebody else's takes no sign-in along. */
static void a_sign_in_is_of_its_owner(void **state)
{
	struct login_id id = begin();

	(void)state;
	assert_int_equal(approve(&id), ERR_NONE);
	fixture_sql(fx, "UPDATE fleetscale.nodes SET user_id = NULL, tags = '{tag:a}' WHERE label = 'laptop'");
	assert_true(signin_age(tailnet, laptop.id) < 0);
	id = begin();
	assert_int_equal(find(&id).found.check.user, 0);
	assert_true(bytes_equal_text(find(&id).found.owner, "tag:a"));
	assert_int_equal(approve(&id), ERR_NONE);
	assert_true(signin_age(tailnet, laptop.id) >= 0);
}

static void many_wait(void **state)
{
	struct node third = enroll(join_of(3, "third")).node;
	struct sshchecks_caps caps = {2, 3, 4};
	struct login_id ids[5];

	(void)state;
	assert_int_equal(begin_of(&ids[0], laptop.id, server.id, LIFETIME_MS, caps), ERR_NONE);
	assert_int_equal(begin_of(&ids[1], laptop.id, server.id, LIFETIME_MS, caps), ERR_NONE);
	assert_int_equal(begin_of(&ids[2], laptop.id, server.id, LIFETIME_MS, caps), ERR_EXHAUSTED);
	assert_string_equal(why.text, "too many sign-ins from this machine to that one wait already");
	assert_int_equal(begin_of(&ids[2], third.id, server.id, LIFETIME_MS, caps), ERR_NONE);
	assert_int_equal(begin_of(&ids[3], third.id, server.id, LIFETIME_MS, caps), ERR_EXHAUSTED);
	assert_string_equal(why.text, "too many sign-ins for this machine wait already");
	assert_int_equal(begin_of(&ids[3], laptop.id, third.id, LIFETIME_MS, caps), ERR_NONE);
	assert_int_equal(begin_of(&ids[4], server.id, laptop.id, LIFETIME_MS, caps), ERR_EXHAUSTED);
	assert_string_equal(why.text, "too many sign-ins wait in this tailnet");
	/* What was answered, or has ended, waits no more. */
	assert_int_equal(approve(&ids[3]), ERR_NONE);
	assert_int_equal(begin_of(&ids[4], server.id, laptop.id, LIFETIME_MS, caps), ERR_NONE);
	fixture_sql(fx, "UPDATE fleetscale.ssh_checks SET ends = now() - interval '1 second'");
	assert_int_equal(begin_of(&ids[4], laptop.id, server.id, LIFETIME_MS, caps), ERR_NONE);
}

static uint64_t second_tailnet(void)
{
	return strtoull(fixture_sql(fx, "SELECT set_config('fleetscale.tailnet', '0', false); "
					"SELECT (fleetscale.create_tailnet('second', '', '', NULL, NULL, true)).id"),
			NULL, 10);
}

static void other_tailnets_see_nothing(void **state)
{
	struct login_id id = begin();
	struct seen_answer s;
	uint64_t stranger = second_tailnet();

	(void)state;
	assert_int_equal(answer_in(pg, stranger, &id, "", &s), ERR_NOT_FOUND);
	assert_int_equal(answer_in(pg, stranger, &id, "not you", &s), ERR_NOT_FOUND);
	assert_false(find(&id).found.check.answered);
	assert_int_equal(approve(&id), ERR_NONE);
	assert_true(signin_age(stranger, laptop.id) < 0);
	struct tx *tx = tx_begin(pg, stranger, TX_WRITE);
	const struct sshcheck_login login = {laptop.id, server.id, user, BYTES("root")};
	login_id_mint(&id);
	sshchecks_begin(tx, &id, &login, LIFETIME_MS, roomy);
	assert_int_equal(fixture_run(loop, tx, NULL, NULL, NULL), ERR_NOT_FOUND);
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

static void old_ones_go(void **state)
{
	struct login_id old = begin(), young = begin();
	struct pruned p = {.done = false};

	(void)state;
	assert_int_equal(approve(&old), ERR_NONE);
	fixture_sql(fx, "UPDATE fleetscale.ssh_checks SET ends = now() - interval '2 hours' WHERE answered IS NOT NULL");
	prune_sshchecks(pg, 3600000, 3600000, on_pruned, &p);
	assert_true(fixture_wait(loop, &p.done, 10000));
	assert_true(p.e == ERR_NONE && p.removed == 1);
	assert_true(!find(&old).there && find(&young).there && signin_age(tailnet, laptop.id) >= 0);
	fixture_sql(fx, "UPDATE fleetscale.ssh_signins SET at = now() - interval '2 hours'");
	p = (struct pruned){0};
	prune_sshchecks(pg, 3600000, 3600000, on_pruned, &p);
	assert_true(fixture_wait(loop, &p.done, 10000));
	assert_true(p.e == ERR_NONE && p.removed == 0 && signin_age(tailnet, laptop.id) < 0);
	/* They go with their node. */
	fixture_sql(fx, "DELETE FROM fleetscale.nodes WHERE label = 'laptop'");
	assert_false(find(&young).there);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(destinations, open_pair, nodes_fixture_close),
		cmocka_unit_test_setup_teardown(a_check_is_found_as_it_was_begun, open_pair, nodes_fixture_close),
		cmocka_unit_test_setup_teardown(the_first_answer_wins_and_is_remembered, open_pair, nodes_fixture_close),
		cmocka_unit_test_setup_teardown(an_answer_counts_a_while_longer, open_pair, nodes_fixture_close),
		cmocka_unit_test_setup_teardown(a_sign_in_is_of_its_owner, open_pair, nodes_fixture_close),
		cmocka_unit_test_setup_teardown(many_wait, open_pair, nodes_fixture_close),
		cmocka_unit_test_setup_teardown(other_tailnets_see_nothing, open_pair, nodes_fixture_close),
		cmocka_unit_test_setup_teardown(old_ones_go, open_pair, nodes_fixture_close),
	};

	return cmocka_run_group_tests(tests, nodes_fixture_start, nodes_fixture_stop);
}
