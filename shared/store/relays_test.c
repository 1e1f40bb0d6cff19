/* The fleet's rows: how regions come into the relay map and leave it, tokens, keys of meshes, what relays ask again. Against a PostgreSQL of its own. */
#include "relays.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "census.h"
#include "nodes_fixture.h"

static void run(struct tx *tx)
{
	struct diag why = {.text = ""};
	enum err e = fixture_run(loop, tx, NULL, NULL, &why);
	assert_string_equal(e ? why.text : "", "");
}

static struct tx *begin(void)
{
	return tx_begin(pg, 0, TX_WRITE);
}

struct seen {
	unsigned statement;
	uint64_t id;
	struct relay_told told;
};

static void see_id(void *context, struct tx *tx)
{
	struct seen *s = context;
	s->id = tx_u64(tx, s->statement, 0, 0);
}

static struct relay_token tokens[4];

/* A token of the region, which is made when it is not there. */
static void region(unsigned at, unsigned id)
{
	struct secret secret;
	struct seen s = {0};
	struct tx *tx = begin();
	secret_mint(SECRET_RELAY, &secret);
	regions_insert(tx, &(struct relay_region){.id = id, .code = BYTES("x"), .name = BYTES("X")});
	s.statement = relay_tokens_insert(tx, &(struct relay_token){.region = id}, &secret);
	assert_int_equal(fixture_run(loop, tx, see_id, &s, NULL), ERR_NONE);
	tokens[at] = (struct relay_token){.id = s.id, .region = id};
}

static struct seen announce(unsigned at, const char *name, bool draining)
{
	struct relay said = {.draining = draining, .version = BYTES("0.1"), .node = {.name = bytes_text(name), .host_name = bytes_text(name)}};
	struct seen s = {0};
	struct tx *tx = begin();
	s.statement = relays_announce(tx, &tokens[at], &said);
	assert_int_equal(fixture_run(loop, tx, see_id, &s, NULL), ERR_NONE);
	return s;
}

static void step(const uint64_t *heard, const uint64_t *homes, size_t count, int64_t patience_ms, int64_t dead_ms)
{
	struct tx *tx = begin();
	relays_step(tx, heard, homes, count, true, &(struct relays_patience){0, patience_ms, dead_ms, 0});
	run(tx);
}

static const struct census_relays *census;

static void on_census(void *context, enum err e, const struct census_relays *c)
{
	assert_int_equal(e, ERR_NONE);
	census = c;
	*(bool *)context = true;
}

/* Nodes, score and mark of a region in the map. */
static void wants(unsigned id, size_t nodes, double score, bool no_home)
{
	bool done = false;
	census_take_relays(pg, arena, on_census, &done);
	assert_true(fixture_wait(loop, &done, 10000));
	for (size_t i = 0; i < census->region_count; i++) {
		if (census->regions[i].id != id)
			continue;
		assert_int_equal(census->regions[i].node_count, nodes);
		assert_true(census->regions[i].score == score);
		assert_int_equal(census->regions[i].no_measure_no_home, no_home);
		return;
	}
	fail_msg("no region %u", id);
}

static void fresh(void)
{
	region(0, 900);
	region(1, 901);
}

static void a_region_leaves_in_order(void **state)
{
	(void)state;
	fresh();
	uint64_t heard[] = {announce(0, "one", false).id, announce(1, "two", false).id}, homes[] = {3, 0};
	wants(900, 1, 1, false);
	struct tx *tx = begin();
	relays_wish(tx, heard[0], true);
	run(tx);
	step(heard, homes, 2, 1000000, 1000000);
	wants(900, 1, 1000, false);
	step(heard, homes, 2, 1000000, 1000000);
	wants(900, 1, 1000, false); /* clients are at home there */
	homes[0] = 0;
	step(heard, homes, 2, 1000000, 1000000);
	wants(900, 1, 1000, true);
	step(heard, homes, 2, 1000000, 1000000);
	wants(900, 0, 1000, true);
	/* And comes back. */
	tx = begin();
	relays_wish(tx, heard[0], false);
	run(tx);
	step(heard, homes, 2, 1000000, 1000000);
	wants(900, 1, 1, false);
}

/* A relay that says in turn that it ends and that it does not moves its region at a pace. */
static void a_region_leaves_and_comes_back_at_a_pace(void **state)
{
	(void)state;
	fresh();
	uint64_t heard[] = {announce(0, "one", false).id, announce(1, "two", false).id}, homes[] = {0, 0};
	for (unsigned i = 0; i < 10; i++) {
		announce(0, "one", true);
		step(heard, homes, 2, 0, 1000000);
		wants(900, 1, 1000, false);
		announce(0, "one", false);
		step(heard, homes, 2, 0, 1000000);
		wants(900, 1, 1, false);
	}
	announce(0, "one", true);
	step(heard, homes, 2, 0, 1000000);
	wants(900, 1, 1, false);
	fixture_sql(fx, "UPDATE fleetscale.relays SET changes_until = changes_until - interval '21 seconds'");
	announce(0, "one", true);
	step(heard, homes, 2, 0, 1000000);
	wants(900, 1, 1000, false);
	announce(0, "one", false);
	step(heard, homes, 2, 0, 1000000);
	wants(900, 1, 1, false);
}

/* The map shows nobody new in a region that it has scored away: the next step brings both back. */
static void a_relay_comes_to_a_region_that_leaves(void **state)
{
	(void)state;
	fresh();
	uint64_t heard[] = {announce(0, "one", false).id, announce(1, "two", false).id, 0}, homes[] = {0, 0, 0};
	announce(0, "one", true);
	step(heard, homes, 2, 0, 1000000);
	wants(900, 1, 1000, false);
	heard[2] = announce(0, "three", false).id;
	wants(900, 1, 1000, false);
	step(heard, homes, 3, 0, 1000000);
	wants(900, 2, 1, false);
}

/* Being alive is a lease: what a relay says again and again neither writes its row nor holds it. */
static void nothing_new_writes_nothing(void **state)
{
	(void)state;
	fresh();
	announce(0, "one", false);
	char before[32], after[32];
	snprintf(before, sizeof before, "%s", fixture_sql(fx, "SELECT xmin::text || ' ' || xmax FROM fleetscale.relays"));
	announce(0, "one", false);
	snprintf(after, sizeof after, "%s", fixture_sql(fx, "SELECT xmin::text || ' ' || xmax FROM fleetscale.relays"));
	assert_string_equal(after, before);
	fixture_sql(fx, "UPDATE fleetscale.relays SET last_seen = now() - interval '31 seconds'");
	announce(0, "one", false);
	assert_string_equal(fixture_sql(fx, "SELECT last_seen > now() - interval '30 seconds' FROM fleetscale.relays"), "t");
}

static void step_unsure(int64_t patience_ms)
{
	struct tx *tx = begin();
	relays_step(tx, NULL, NULL, 0, false, &(struct relays_patience){0, patience_ms, 1000000, 0});
	run(tx);
}

/* Leases cannot be read: how many are at home is not known, which is not nobody. */
static void without_leases_homes_stay(void **state)
{
	(void)state;
	fresh();
	uint64_t heard[] = {announce(0, "one", false).id, announce(1, "two", false).id}, homes[] = {3, 0};
	struct tx *tx = begin();
	relays_wish(tx, heard[0], true);
	run(tx);
	step(heard, homes, 2, 1000000, 1000000);
	wants(900, 1, 1000, false);
	for (unsigned i = 0; i < 3; i++)
		step_unsure(1000000);
	wants(900, 1, 1000, false);
	homes[0] = 0;
	step(heard, homes, 2, 1000000, 1000000);
	wants(900, 1, 1000, true);
	step_unsure(1000000);
	wants(900, 1, 1000, true);
	/* But not for ever, and silence is no end. */
	step_unsure(0);
	wants(900, 0, 1000, true);
	wants(901, 1, 1, false);
}

static void patience_ends(void **state)
{
	(void)state;
	fresh();
	uint64_t heard[] = {announce(0, "one", true).id, announce(1, "two", false).id}, homes[] = {3, 0};
	step(heard, homes, 2, 0, 1000000);
	step(heard, homes, 2, 0, 1000000);
	wants(900, 1, 1000, true);
}

static void the_last_region_stays(void **state)
{
	(void)state;
	fresh();
	uint64_t heard[] = {announce(0, "one", true).id}, homes[] = {0};
	for (unsigned i = 0; i < 4; i++)
		step(heard, homes, 1, 0, 0);
	wants(900, 1, 1, false);
	struct tx *tx = begin();
	relays_remove(tx, heard[0]);
	run(tx);
	step(heard, homes, 0, 0, 0);
	wants(900, 1, 1, false);
	tx = begin();
	relays_remove(tx, heard[0]);
	run(tx);
	wants(900, 0, 1, false);
}

static void one_of_two_leaves(void **state)
{
	(void)state;
	fresh();
	uint64_t heard[] = {announce(0, "one", false).id, announce(0, "two", false).id}, homes[] = {0, 0};
	wants(900, 2, 1, false);
	/* It only empties itself: those that try it go on to the next, and the region stays as it is. */
	announce(0, "one", true);
	step(heard, homes, 2, 0, 1000000);
	wants(900, 2, 1, false);
	struct tx *tx = begin();
	relays_remove(tx, heard[0]);
	run(tx);
	step(heard, homes, 2, 0, 1000000);
	wants(900, 1, 1, false);
}

static void the_silent_leave(void **state)
{
	(void)state;
	fresh();
	uint64_t heard[] = {announce(0, "one", false).id, announce(1, "two", false).id}, homes[] = {0, 0};
	step(heard, homes, 2, 0, 0);
	wants(901, 1, 1, false);
	step(heard, homes, 1, 0, 1000000); /* silent, but not for long */
	wants(901, 1, 1, false);
	for (unsigned i = 0; i < 3; i++)
		step(heard, homes, 1, 0, 0);
	wants(901, 0, 1000, true);
	step(heard, homes, 2, 0, 1000000);
	wants(901, 1, 1, false);
}

static void a_revoked_token_takes_its_relays_along(void **state)
{
	(void)state;
	fresh();
	uint64_t heard[] = {announce(0, "one", false).id, announce(1, "two", false).id}, homes[] = {0, 0};
	struct tx *tx = begin();
	relay_tokens_revoke(tx, tokens[0].id);
	run(tx);
	for (unsigned i = 0; i < 3; i++)
		step(heard, homes, 2, 0, 1000000);
	wants(900, 0, 1000, true);
	wants(901, 1, 1, false);
	struct relay said = {.version = BYTES(""), .node = {.name = BYTES("one"), .host_name = BYTES("h")}};
	tx = begin();
	relays_announce(tx, &tokens[0], &said);
	assert_int_equal(fixture_run(loop, tx, NULL, NULL, NULL), ERR_NOT_FOUND);
}

static enum err announce_as(const char *instance, const char *host, bool draining)
{
	struct relay said = {.instance = bytes_text(instance),
			     .draining = draining,
			     .version = BYTES("0.1"),
			     .node = {.name = BYTES("one"), .host_name = bytes_text(host), .relay_port = 443}};
	struct tx *tx = begin();
	relays_announce(tx, &tokens[0], &said);
	return fixture_run(loop, tx, NULL, NULL, NULL);
}

/* Two processes with one name do not take turns in the map. */
static void the_one_that_is_there_keeps_its_name(void **state)
{
	(void)state;
	fresh();
	assert_int_equal(announce_as("a", "here", false), ERR_NONE);
	assert_int_equal(announce_as("b", "there", false), ERR_DENIED);
	assert_int_equal(announce_as("a", "here", false), ERR_NONE);
	/* Its own word about itself changes at once; one that begins anew where it was need not wait. */
	assert_int_equal(announce_as("a", "elsewhere", false), ERR_NONE);
	assert_int_equal(announce_as("c", "elsewhere", false), ERR_NONE);
	assert_int_equal(announce_as("a", "here", false), ERR_DENIED);
	/* One that ends makes room; once another has followed it has nothing more to say. */
	assert_int_equal(announce_as("c", "elsewhere", true), ERR_NONE);
	assert_int_equal(announce_as("d", "there", false), ERR_NONE);
	assert_int_equal(announce_as("c", "elsewhere", true), ERR_DENIED);
	assert_int_equal(announce_as("e", "there", false), ERR_NONE);
	assert_int_equal(announce_as("d", "there", true), ERR_DENIED);
	assert_string_equal(fixture_sql(fx, "SELECT host_name || draining || instance FROM fleetscale.relays WHERE name = 'one'"), "therefalsee");
	/* Silent for a while it is not there any more. */
	fixture_sql(fx, "UPDATE fleetscale.relays SET last_seen = now() - interval '46 seconds' WHERE name = 'one'");
	assert_int_equal(announce_as("f", "here", false), ERR_NONE);
	/* At once when it is known to be silent; the one that has followed is held to be there again with the next look at leases. */
	assert_int_equal(announce_as("g", "there", false), ERR_DENIED);
	fixture_sql(fx, "UPDATE fleetscale.relays SET silent_since = now() WHERE name = 'one'");
	assert_int_equal(announce_as("g", "there", false), ERR_NONE);
	fixture_sql(fx, "UPDATE fleetscale.relays SET silent_since = NULL WHERE name = 'one'");
	assert_int_equal(announce_as("f", "here", false), ERR_DENIED);
	/* Relays of a release that says nothing about it. */
	fixture_sql(fx, "UPDATE fleetscale.relays SET instance = '' WHERE name = 'one'");
	assert_int_equal(announce_as("", "there", false), ERR_NONE);
	assert_int_equal(announce_as("", "here", false), ERR_NONE);
}

static void see_told(void *context, struct tx *tx)
{
	struct seen *s = context;
	struct relay *siblings;
	assert_true(relays_read_told(tx, s->statement, tx_arena(tx), &s->told));
	s->id = relays_read(tx, s->statement + 1, tx_arena(tx), &siblings);
}

static struct seen told(const char *name)
{
	struct seen s = {0};
	struct tx *tx = begin();
	s.statement = relays_told(tx, &tokens[0], bytes_text(name));
	assert_int_equal(relays_siblings(tx, tokens[0].region), s.statement + 1);
	assert_int_equal(fixture_run(loop, tx, see_told, &s, NULL), ERR_NONE);
	return s;
}

/* Each change goes to all clients: one that changes without end is followed at a pace. */
static void the_map_follows_at_a_pace(void **state)
{
	static const char *const hosts[] = {"here", "there"};
	(void)state;
	fresh();
	assert_int_equal(announce_as("a", hosts[1], false), ERR_NONE);
	uint64_t generation = strtoull(fixture_sql(fx, "SELECT generation FROM fleetscale.generations WHERE tailnet_id = 0"), NULL, 10);
	for (unsigned i = 0; i < 10; i++) {
		assert_int_equal(announce_as("a", hosts[i % 2], false), ERR_NONE);
		assert_string_equal(fixture_sql(fx, "SELECT host_name FROM fleetscale.relays WHERE name = 'one'"), hosts[i % 2]);
		assert_false(told("one").told.held_back);
	}
	assert_int_equal(strtoull(fixture_sql(fx, "SELECT generation FROM fleetscale.generations WHERE tailnet_id = 0"), NULL, 10), generation + 10);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(announce_as("a", "here", i > 0), ERR_NONE);
		assert_true(told("one").told.held_back);
	}
	assert_string_equal(fixture_sql(fx, "SELECT host_name || draining FROM fleetscale.relays WHERE name = 'one'"), "therefalse");
	assert_int_equal(strtoull(fixture_sql(fx, "SELECT generation FROM fleetscale.generations WHERE tailnet_id = 0"), NULL, 10), generation + 10);
	/* It says again what the map shows; or time has passed. */
	assert_int_equal(announce_as("a", "there", false), ERR_NONE);
	assert_false(told("one").told.held_back);
	fixture_sql(fx, "UPDATE fleetscale.relays SET changes_until = changes_until - interval '21 seconds' WHERE name = 'one'");
	assert_int_equal(announce_as("a", "here", false), ERR_NONE);
	assert_false(told("one").told.held_back);
	assert_int_equal(announce_as("a", "there", false), ERR_NONE);
	assert_true(told("one").told.held_back);
	assert_string_equal(fixture_sql(fx, "SELECT host_name FROM fleetscale.relays WHERE name = 'one'"), "here");
}

/* Who is none of the mesh is told so, and one that was silent for long is no sibling. */
static void the_mesh_has_members(void **state)
{
	(void)state;
	fresh();
	announce(0, "one", false);
	announce(0, "two", false);
	assert_true(told("one").told.mesh);
	assert_int_equal(told("one").id, 2);
	fixture_sql(fx, "UPDATE fleetscale.relays SET silent_since = now() - interval '2 days' WHERE name = 'two'");
	assert_int_equal(told("one").id, 1);
	fixture_sql(fx, "UPDATE fleetscale.relays SET mesh = false WHERE name = 'one'");
	assert_false(told("one").told.mesh);
	assert_int_equal(told("one").id, 0);
}

static void see_by_hand(void *context, struct tx *tx)
{
	struct relay_token *all;
	size_t count = relay_tokens_read(tx, 0, arena, &all);
	(void)context;
	assert_int_equal(count, 3);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(all[i].by_hand, all[i].relay != 0);
}

/* The token of one that is listed by hand is in a program that is not ours. */
static void one_listed_by_hand_says_nothing(void **state)
{
	struct relay listed = {.by_hand = true, .region = 900, .node = {.name = BYTES("stock"), .host_name = BYTES("stock.example")}};
	struct relay said = {.version = BYTES(""), .node = {.host_name = BYTES("elsewhere.example")}};
	struct secret secret;
	struct tx *tx;
	(void)state;
	fresh();
	secret_mint(SECRET_RELAY, &secret);
	tx = begin();
	relays_insert(tx, &listed, &secret);
	run(tx);
	struct relay_token token = {.id = (uint64_t)atoll(fixture_sql(fx, "SELECT max(id) FROM fleetscale.relay_tokens")), .region = 900};
	tx = begin();
	relays_announce(tx, &token, &said);
	assert_int_equal(fixture_run(loop, tx, NULL, NULL, NULL), ERR_DENIED);
	assert_string_equal(fixture_sql(fx, "SELECT host_name FROM fleetscale.relays WHERE name = 'stock'"), "stock.example");
	announce(0, "one", false);
	tx = begin();
	relay_tokens_page(tx, 0, 100);
	assert_int_equal(fixture_run(loop, tx, see_by_hand, NULL, NULL), ERR_NONE);
}

static void tokens_speak_for_their_own(void **state)
{
	(void)state;
	fresh();
	announce(0, "one", false);
	struct relay said = {.version = BYTES(""), .node = {.name = BYTES("one"), .host_name = BYTES("h")}};
	struct tx *tx = begin();
	relays_announce(tx, &tokens[1], &said);
	assert_int_equal(fixture_run(loop, tx, NULL, NULL, NULL), ERR_DENIED);
	said.node.name = BYTES("");
	tx = begin();
	relays_announce(tx, &tokens[0], &said);
	assert_int_equal(fixture_run(loop, tx, NULL, NULL, NULL), ERR_DENIED);
	tx = begin();
	regions_delete(tx, 900);
	assert_int_equal(fixture_run(loop, tx, NULL, NULL, NULL), ERR_CONFLICT);
}

struct keys {
	unsigned statement;
	struct region_keys keys;
};

static void see_keys(void *context, struct tx *tx)
{
	struct keys *k = context;
	assert_true(regions_read_keys(tx, k->statement, arena, &k->keys));
}

static struct region_keys keys_of(unsigned id)
{
	struct tx *tx = tx_begin(pg, 0, TX_READ);
	struct keys k = {.statement = regions_keys(tx, id)};
	assert_int_equal(fixture_run(loop, tx, see_keys, &k, NULL), ERR_NONE);
	return k.keys;
}

static void keys_overlap(void **state)
{
	(void)state;
	fresh();
	struct region_keys first = keys_of(900), second;
	assert_int_equal(first.key.len, 2 * KEY_LEN);
	assert_int_equal(first.before.len, 0);
	struct tx *tx = begin();
	regions_rotate(tx, 900, NULL, 60000);
	run(tx);
	second = keys_of(900);
	assert_true(bytes_equal(second.before, first.key) && !bytes_equal(second.key, first.key));
	tx = begin();
	regions_rotate(tx, 900, NULL, 0);
	run(tx);
	assert_int_equal(keys_of(900).before.len, 0);
}

struct rechecks {
	uint64_t stands;
	size_t count;
	char last[2 * KEY_LEN + 1];
};

static void see_rechecks(void *context, struct tx *tx)
{
	struct rechecks *r = context;
	struct bytes *keys;
	assert_true(relay_rechecks_read(tx, 0, arena, &r->stands, &keys, &r->count));
	if (r->count)
		memcpy(r->last, keys[r->count - 1].at, 2 * KEY_LEN);
}

static struct rechecks rechecks_in(unsigned region_id, uint64_t known)
{
	struct rechecks r = {0};
	struct tx *tx = tx_begin(pg, 0, TX_READ);
	relay_rechecks(tx, region_id, known);
	assert_int_equal(fixture_run(loop, tx, see_rechecks, &r, NULL), ERR_NONE);
	return r;
}

static struct rechecks rechecks(uint64_t known)
{
	return rechecks_in(900, known);
}

static void who_leaves_is_asked_about_again(void **state)
{
	(void)state;
	fresh();
	assert_int_equal(enroll(join_of(1, "laptop")).e, ERR_NONE);
	struct rechecks before = rechecks(0), after;
	assert_int_equal(before.count, 0);
	fixture_sql(fx, "UPDATE fleetscale.nodes SET last_seen = now()");
	assert_int_equal(rechecks(before.stands).count, 0);
	fixture_sql(fx, "UPDATE fleetscale.nodes SET expiry = now() WHERE id = (SELECT min(id) FROM fleetscale.nodes)");
	after = rechecks(before.stands);
	assert_int_equal(after.count, 1);
	assert_int_equal(rechecks(after.stands).count, 0);
	fixture_sql(fx, "DELETE FROM fleetscale.nodes WHERE id = (SELECT min(id) FROM fleetscale.nodes)");
	struct rechecks gone = rechecks(after.stands);
	assert_int_equal(gone.count, 1);
	assert_string_equal(gone.last, after.last);
}

static void see_most(void *context, struct tx *tx)
{
	struct bytes *keys;
	uint64_t stands;
	size_t count;
	(void)context;
	assert_true(relay_rechecks_read(tx, 0, arena, &stands, &keys, &count));
	assert_int_equal(count, RELAY_RECHECKS_MAX);
}

static void see_too_many(void *context, struct tx *tx)
{
	struct bytes *keys;
	uint64_t stands;
	size_t count;
	(void)context;
	assert_false(relay_rechecks_read(tx, 0, arena, &stands, &keys, &count));
}

/* Its region is closed to a tailnet whose clients are connected. */
static void who_may_use_a_region_no_more_is_asked_about_again(void **state)
{
	static const struct {
		const char *tailnets;
		unsigned count;
	} cases[] = {{"'{7777777}'", 1}, {"'{7777777,8888888}'", 0}, {"NULL", 0}, {"(SELECT array_agg(id) FROM fleetscale.tailnets)", 0}, {"'{7777777}'", 1}};
	(void)state;
	fresh();
	assert_int_equal(enroll(join_of(1, "laptop")).e, ERR_NONE);
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct rechecks before = rechecks(0), after;
		char sql[256];
		snprintf(sql, sizeof sql, "UPDATE fleetscale.regions SET tailnets = %s WHERE id = 900", cases[i].tailnets);
		fixture_sql(fx, sql);
		after = rechecks(before.stands);
		assert_int_equal(after.count, cases[i].count);
	}
}

/* Relays of a region that is other tailnets' own hear of none of its nodes, but for those that it has just been closed to, gone ones among them. */
static void a_region_hears_of_those_whom_it_admits(void **state)
{
	(void)state;
	fresh();
	assert_int_equal(enroll(join_of(1, "laptop")).e, ERR_NONE);
	assert_int_equal(enroll(join_of(2, "desk")).e, ERR_NONE);
	fixture_sql(fx, "UPDATE fleetscale.regions SET tailnets = '{7777777}' WHERE id = 901");
	struct rechecks before = rechecks(0);
	fixture_sql(fx, "UPDATE fleetscale.nodes SET expiry = now() WHERE id = (SELECT min(id) FROM fleetscale.nodes)");
	assert_int_equal(rechecks_in(900, before.stands).count, 1);
	assert_int_equal(rechecks_in(901, before.stands).count, 0);
	fixture_sql(fx, "UPDATE fleetscale.tailnets SET suspended = true");
	assert_int_equal(rechecks_in(900, before.stands).count, 3);
	assert_int_equal(rechecks_in(901, before.stands).count, 0);
	fixture_sql(fx, "DELETE FROM fleetscale.relay_rechecks");
	before = rechecks(0);
	fixture_sql(fx, "DELETE FROM fleetscale.nodes WHERE id = (SELECT min(id) FROM fleetscale.nodes)");
	fixture_sql(fx, "UPDATE fleetscale.regions SET tailnets = '{7777777}' WHERE id = 900");
	assert_int_equal(rechecks_in(900, before.stands).count, 2);
	assert_int_equal(rechecks_in(901, before.stands).count, 0);
}

/* A token of a region that is in wrong hands. */
static void a_region_holds_relays_to_a_cap(void **state)
{
	(void)state;
	fresh();
	announce(0, "one", false);
	fixture_sql(fx, "INSERT INTO fleetscale.relays (region_id, name) SELECT 900, 'r' || n FROM generate_series(1, 254) n");
	announce(0, "two", false);
	struct relay said = {.version = BYTES(""), .node = {.name = BYTES("three"), .host_name = BYTES("h")}};
	struct tx *tx = begin();
	relays_announce(tx, &tokens[0], &said);
	assert_int_equal(fixture_run(loop, tx, NULL, NULL, NULL), ERR_DENIED);
	announce(0, "r1", false);
	announce(1, "three", false);
	/* And each is told of all. */
	fixture_sql(fx, "UPDATE fleetscale.relays SET last_seen = now() WHERE region_id = 900");
	assert_int_equal(told("one").id, RELAYS_OF_REGION_MAX);
}

/* More than can be named: all are asked about. */
static void too_many_are_all(void **state)
{
	(void)state;
	fresh();
	struct rechecks before = rechecks(0);
	for (unsigned more = 0; more < 2; more++) {
		struct tx *tx = tx_begin(pg, 0, TX_READ);
		unsigned statement;
		char sql[200];
		snprintf(sql, sizeof sql, "INSERT INTO fleetscale.relay_rechecks (node_key) SELECT sha256(n::text::bytea) FROM generate_series(1, %d) n",
			 more ? 1 : RELAY_RECHECKS_MAX);
		fixture_sql(fx, sql);
		statement = relay_rechecks(tx, 900, before.stands);
		assert_int_equal(statement, 0);
		assert_int_equal(fixture_run(loop, tx, more ? see_too_many : see_most, NULL, NULL), ERR_NONE);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_region_leaves_in_order, nodes_fixture_open, nodes_fixture_close),
		cmocka_unit_test_setup_teardown(a_relay_comes_to_a_region_that_leaves, nodes_fixture_open, nodes_fixture_close),
		cmocka_unit_test_setup_teardown(a_region_leaves_and_comes_back_at_a_pace, nodes_fixture_open, nodes_fixture_close),
		cmocka_unit_test_setup_teardown(nothing_new_writes_nothing, nodes_fixture_open, nodes_fixture_close),
		cmocka_unit_test_setup_teardown(without_leases_homes_stay, nodes_fixture_open, nodes_fixture_close),
		cmocka_unit_test_setup_teardown(patience_ends, nodes_fixture_open, nodes_fixture_close),
		cmocka_unit_test_setup_teardown(the_last_region_stays, nodes_fixture_open, nodes_fixture_close),
		cmocka_unit_test_setup_teardown(one_of_two_leaves, nodes_fixture_open, nodes_fixture_close),
		cmocka_unit_test_setup_teardown(the_silent_leave, nodes_fixture_open, nodes_fixture_close),
		cmocka_unit_test_setup_teardown(a_revoked_token_takes_its_relays_along, nodes_fixture_open, nodes_fixture_close),
		cmocka_unit_test_setup_teardown(the_one_that_is_there_keeps_its_name, nodes_fixture_open, nodes_fixture_close),
		cmocka_unit_test_setup_teardown(the_map_follows_at_a_pace, nodes_fixture_open, nodes_fixture_close),
		cmocka_unit_test_setup_teardown(the_mesh_has_members, nodes_fixture_open, nodes_fixture_close),
		cmocka_unit_test_setup_teardown(one_listed_by_hand_says_nothing, nodes_fixture_open, nodes_fixture_close),
		cmocka_unit_test_setup_teardown(tokens_speak_for_their_own, nodes_fixture_open, nodes_fixture_close),
		cmocka_unit_test_setup_teardown(keys_overlap, nodes_fixture_open, nodes_fixture_close),
		cmocka_unit_test_setup_teardown(who_leaves_is_asked_about_again, nodes_fixture_open, nodes_fixture_close),
		cmocka_unit_test_setup_teardown(who_may_use_a_region_no_more_is_asked_about_again, nodes_fixture_open, nodes_fixture_close),
		cmocka_unit_test_setup_teardown(a_region_hears_of_those_whom_it_admits, nodes_fixture_open, nodes_fixture_close),
		cmocka_unit_test_setup_teardown(a_region_holds_relays_to_a_cap, nodes_fixture_open, nodes_fixture_close),
		cmocka_unit_test_setup_teardown(too_many_are_all, nodes_fixture_open, nodes_fixture_close),
	};
	return cmocka_run_group_tests(tests, nodes_fixture_start, nodes_fixture_stop);
}
