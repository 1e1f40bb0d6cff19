#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "nodes_fixture.h"
#include "relays.h"

struct asked {
	bool done;
	enum err e;
	const struct nodes_known *k;
};

static void on_known(void *context, enum err e, const struct nodes_known *known)
{
	struct asked *asked = context;
	*asked = (struct asked){true, e, known};
}

static const struct nodes_known *ask(struct nodes_question q)
{
	struct asked asked = {0};
	nodes_find_for_register(pg, &q, arena, on_known, &asked);
	assert_false(asked.done);
	assert_true(fixture_wait(loop, &asked.done, 10000));
	assert_int_equal(asked.e, ERR_NONE);
	return asked.k;
}

static void one_reading_tells_all_that_admission_wants(void **state)
{
	struct secret secret, guess;
	struct enrollment e = join_of(1, "laptop");
	(void)state;
	e.authkey = make_key(&secret, false);
	e.consume_key = true;
	struct joined in = enroll(e);
	struct nodes_question q = {.machine_key = e.machine_key, .node_key = e.node_key, .secret = &secret};
	const struct nodes_known *k = ask(q);
	assert_true(k->known.by_node_key && k->known.by_node_key->id == in.node.id);
	/* One node, one struct. */
	assert_ptr_equal(k->known.by_owner, k->known.by_node_key);
	assert_true(k->known.authkey && k->known.authkey->used_by == in.node.id);
	assert_true(k->known.key_unpolled_by == in.node.id);
	assert_true(k->by_node_key.user && bytes_equal_text(k->by_node_key.user->name, "default"));
	assert_true(k->key_user && k->key_user->id == user);
	assert_true(bytes_equal_text(k->key_tailnet->domain, "default.fleet.test"));
	assert_true(k->lifetime_ms == 15552000000);
	/* The same machine under a new node key, its old one told. */
	q.old_node_key = q.node_key;
	q.node_key.raw[5] ^= 1;
	k = ask(q);
	assert_null(k->known.by_node_key);
	assert_true(k->known.by_old_key && k->known.by_old_key->id == in.node.id);
	assert_ptr_equal(k->known.by_owner, k->known.by_old_key);
	/* Another machine learns of the node key, but nothing by the old one or the owner. */
	q.machine_key.raw[3] ^= 1;
	k = ask(q);
	assert_null(k->known.by_old_key);
	assert_null(k->known.by_owner);
	q.node_key = e.node_key;
	assert_non_null(ask(q)->known.by_node_key);
	/* The right prefix with the wrong secret is no key. */
	q.machine_key = e.machine_key;
	guess = secret;
	guess.hash[0] ^= 1;
	q.secret = &guess;
	k = ask(q);
	assert_null(k->known.authkey);
	assert_null(k->known.by_owner);
	assert_null(k->key_user);
	/* Without a key. */
	q.secret = NULL;
	k = ask(q);
	assert_non_null(k->known.by_node_key);
	assert_true(k->lifetime_ms == 15552000000);
	/* Its first map went out: the key is spent for good. */
	struct tx *tx = tx_begin(pg, tailnet, TX_WRITE);
	nodes_polled(tx, &in.node.id, 1, clock_wall());
	assert_int_equal(fixture_run(loop, tx, NULL, NULL, NULL), ERR_NONE);
	q.secret = &secret;
	assert_true(ask(q)->known.key_unpolled_by == 0);
}

/* What a registration with tags wants besides; who guessed the prefix alone learns none of it. */
static void a_reading_tells_the_policy_and_the_tagged_node(void **state)
{
	struct secret secret, guess;
	struct bytes web = BYTES("tag:web");
	struct enrollment e = join_of(1, "laptop");
	struct joined in = enroll(e);
	struct nodes_question q = {.machine_key = e.machine_key, .node_key = e.node_key, .secret = &secret, .asks_tags = true};
	(void)state;
	make_key(&secret, true);
	const struct nodes_known *k = ask(q);
	assert_true(k->policy == 0 && !k->known.tagged);
	struct tx *tx = tx_begin(pg, tailnet, TX_WRITE);
	nodes_tag(tx, in.node.id, &web, 1);
	assert_int_equal(fixture_run(loop, tx, NULL, NULL, NULL), ERR_NONE);
	fixture_sql(fx,
		    "INSERT INTO fleetscale.policies (tailnet_id, version, text) SELECT t.id, v, '{}' FROM fleetscale.tailnets t, generate_series(3, 4) AS v");
	k = ask(q);
	assert_true(k->policy == 4);
	assert_ptr_equal(k->known.tagged, k->known.by_node_key);
	q.node_key.raw[5] ^= 1;
	assert_true(ask(q)->known.tagged->id == in.node.id);
	q.asks_tags = false;
	assert_true(!ask(q)->known.tagged && ask(q)->policy == 4);
	q.asks_tags = true;
	q.machine_key.raw[3] ^= 1;
	assert_null(ask(q)->known.tagged);
	q.machine_key = e.machine_key;
	guess = secret;
	guess.hash[0] ^= 1;
	q.secret = &guess;
	k = ask(q);
	assert_true(k->policy == 0 && !k->known.tagged);
	q.secret = NULL;
	k = ask(q);
	assert_true(k->policy == 0 && !k->known.tagged);
}

struct placed {
	bool done;
	enum err e;
	struct nodes_place place;
	uint64_t epoch;
	bool allowed;
	struct relay_standing standing;
};

static void on_place(void *context, enum err e, const struct nodes_place *place, uint64_t epoch)
{
	*(struct placed *)context = (struct placed){.done = true, .e = e, .place = *place, .epoch = epoch};
}

static void on_verified(void *context, enum err e, const struct relay_standing *standing)
{
	*(struct placed *)context = (struct placed){.done = true, .e = e, .allowed = standing->allowed, .standing = *standing};
}

static bool verify(const struct node_key *key)
{
	struct placed v = {0};
	relays_verify(pg, key, 900, on_verified, &v);
	assert_true(fixture_wait(loop, &v.done, 10000));
	assert_int_equal(v.e, ERR_NONE);
	return v.allowed;
}

static void a_tailnets_rate_is_told_and_asked_about_anew(void **state)
{
	(void)state;
	struct enrollment e = join_of(1, "laptop");
	struct placed v = {0};
	enroll(e);
	fixture_sql(fx, "INSERT INTO fleetscale.regions (id, code, name) VALUES (900, 'here', 'Here')");
	fixture_sql(fx, "DELETE FROM fleetscale.relay_rechecks");
	fixture_sql(fx, "UPDATE fleetscale.tailnets SET relay_rate = 1000000, relay_burst = 70000");
	relays_verify(pg, &e.node_key, 900, on_verified, &v);
	assert_true(fixture_wait(loop, &v.done, 10000));
	assert_true(v.allowed && v.standing.tailnet == tailnet && v.standing.rate == 1000000 && v.standing.burst == 70000);
	fixture_sql(fx, "UPDATE fleetscale.tailnets SET relay_rate = 1000000, relay_burst = 70000");
	fixture_sql(fx, "DO $$ BEGIN ASSERT (SELECT count(*) FROM fleetscale.relay_rechecks) = 1, 'asked about anew once'; END $$");
}

static void a_node_is_found_by_its_key(void **state)
{
	struct enrollment e = join_of(1, "laptop");
	struct joined in = enroll(e);
	struct placed a = {0}, b = {0}, c = {0};
	struct node_key stranger = {{1, 2, 3}};
	(void)state;
	nodes_find(pg, &e.node_key, true, arena, on_place, &a);
	nodes_find(pg, &e.node_key, true, arena, on_place, &b);
	nodes_find(pg, &stranger, false, arena, on_place, &c);
	assert_true(fixture_wait(loop, &a.done, 5000) && fixture_wait(loop, &b.done, 5000) && fixture_wait(loop, &c.done, 5000));
	assert_true(a.place.node->id == in.node.id && a.place.tailnet->id == tailnet && a.place.user->id == user);
	assert_true(a.epoch && b.epoch && a.epoch != b.epoch);
	assert_null(c.place.node);
	assert_true(c.epoch == 0);
	assert_false(verify(&e.node_key)); /* no such region */
	fixture_sql(fx, "INSERT INTO fleetscale.regions (id, code, name) VALUES (900, 'here', 'Here')");
	assert_true(verify(&e.node_key));
	assert_false(verify(&stranger));
	fixture_sql(fx, "UPDATE fleetscale.tailnets SET suspended = true");
	assert_false(verify(&e.node_key));
	fixture_sql(fx, "UPDATE fleetscale.tailnets SET suspended = false");
	assert_true(verify(&e.node_key));
	fixture_sql(fx, "UPDATE fleetscale.nodes SET expiry = now() - interval '1 second'");
	assert_false(verify(&e.node_key));
	fixture_sql(fx, "UPDATE fleetscale.nodes SET expiry = NULL, approved = false");
	assert_false(verify(&e.node_key));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(one_reading_tells_all_that_admission_wants, nodes_fixture_open, nodes_fixture_close),
		cmocka_unit_test_setup_teardown(a_reading_tells_the_policy_and_the_tagged_node, nodes_fixture_open, nodes_fixture_close),
		cmocka_unit_test_setup_teardown(a_tailnets_rate_is_told_and_asked_about_anew, nodes_fixture_open, nodes_fixture_close),
		cmocka_unit_test_setup_teardown(a_node_is_found_by_its_key, nodes_fixture_open, nodes_fixture_close),
	};
	return cmocka_run_group_tests(tests, nodes_fixture_start, nodes_fixture_stop);
}
