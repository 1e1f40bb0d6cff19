#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "apikeys.h"
#include "audits.h"
#include "authkeys.h"
#include "log.h"
#include "store_fixture.h"
#include "tailnets.h"
#include "users.h"

/* The tables that administrators move, each through its whole life. */

static struct fixture *fx;
static struct loop *loop;
static struct pg *pg;
static struct arena *arena;
static uint64_t tailnet;

static int set_up(void **state)
{
	(void)state;
	log_setup("apikeys_test", LOG_ERROR, LOG_TEXT);
	fx = fixture_new();
	loop = loop_new();
	pg = pg_new(loop, &(struct pg_config){fixture_coordinator(fx), true, 2, 1000, 10000});
	arena = arena_new();
	tailnet = strtoull(fixture_sql(fx, "SELECT id FROM fleetscale.tailnets"), NULL, 10);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	pg_free(&pg);
	arena_free(&arena);
	loop_free(&loop);
	fixture_free(&fx);
	return 0;
}

static struct tx *in(uint64_t id)
{
	return tx_begin(pg, id, TX_WRITE);
}
static enum err run(struct tx *tx, void (*inside)(void *, struct tx *), void *context)
{
	return fixture_run(loop, tx, inside, context, NULL);
}

static unsigned tailnet_row;

static void see_tailnets(void *context, struct tx *tx)
{
	struct bytes *names = context;
	struct tailnet *rows;
	size_t count = tailnets_read(tx, tailnet_row, arena, &rows);
	for (size_t i = 0; i < count; i++)
		names[i] = rows[i].domain;
}

static void tailnets_are_made_whole(void **state)
{
	struct bytes domain[3] = {{0}};
	struct tailnet t = {.name = BYTES("lab"), .display_name = BYTES("The Lab")};
	struct tx *tx = in(0);
	(void)state;
	tailnet_row = tailnets_insert(tx, &t);
	assert_int_equal(run(tx, see_tailnets, domain), ERR_NONE);
	assert_true(bytes_equal_text(domain[0], "lab.fleet.test"));
	tx = in(0);
	tailnet_row = tailnets_insert(tx, &t);
	assert_int_equal(run(tx, NULL, NULL), ERR_EXISTS);
	tx = in(0);
	tailnet_row = tailnets_list(tx, 0, 100);
	assert_int_equal(run(tx, see_tailnets, domain), ERR_NONE);
	assert_true(bytes_equal_text(domain[0], "default.fleet.test") && bytes_equal_text(domain[1], "lab.fleet.test"));
	tx = in(0);
	tailnet_row = tailnets_find(tx, BYTES("lab"));
	assert_int_equal(run(tx, see_tailnets, domain), ERR_NONE);
	assert_true(bytes_equal_text(domain[0], "lab.fleet.test"));
	/* A tailnet sees itself alone, and cannot make others. */
	tx = in(tailnet);
	tailnet_row = tailnets_list(tx, 0, 100);
	domain[1] = BYTES_NONE;
	assert_int_equal(run(tx, see_tailnets, domain), ERR_NONE);
	assert_true(bytes_equal_text(domain[0], "default.fleet.test") && !domain[1].len);
	tx = in(tailnet);
	t.name = BYTES("lab2");
	tailnet_row = tailnets_insert(tx, &t);
	assert_int_equal(run(tx, NULL, NULL), ERR_DENIED);
	assert_string_equal(fixture_sql(fx, "SELECT count(*) FROM fleetscale.generations g JOIN fleetscale.journal j USING (tailnet_id, generation)"), "3");
}

static struct user one_user;

static void see_user(void *context, struct tx *tx)
{
	struct user *rows;
	size_t count = users_read(tx, 0, arena, &rows);
	assert_int_equal(count, context ? *(size_t *)context : 1);
	if (count)
		one_user = rows[0];
}

static void users_come_and_go(void **state)
{
	size_t none = 0;
	struct tx *tx = in(tailnet);
	(void)state;
	users_insert(tx, &(struct user){.name = BYTES("ann"), .display_name = BYTES("Ann \"A\" O'Neill"), .email = BYTES("a@x.test")});
	assert_int_equal(run(tx, see_user, NULL), ERR_NONE);
	uint64_t id = one_user.id;
	assert_true(bytes_equal_text(one_user.display_name, "Ann \"A\" O'Neill") && one_user.tailnet == tailnet);
	tx = in(tailnet);
	users_insert(tx, &(struct user){.name = BYTES("ann")});
	assert_int_equal(run(tx, NULL, NULL), ERR_EXISTS);
	tx = in(tailnet);
	users_rename(tx, id, BYTES("anna"));
	assert_int_equal(run(tx, see_user, NULL), ERR_NONE);
	assert_true(bytes_equal_text(one_user.name, "anna"));
	tx = in(tailnet);
	users_rename(tx, id, BYTES("default"));
	assert_int_equal(run(tx, NULL, NULL), ERR_EXISTS);
	tx = in(tailnet);
	users_find(tx, BYTES("anna"));
	assert_int_equal(run(tx, see_user, NULL), ERR_NONE);
	fixture_sql(fx, "INSERT INTO fleetscale.nodes (tailnet_id, user_id, machine_key, node_key, label, ip4, ip6) SELECT tailnet_id, id, sha256('a'), "
			"sha256('b'), 'x', '100.64.0.9', "
			"'fd7a:115c:a1e0::9' FROM fleetscale.users WHERE name = 'anna'");
	tx = in(tailnet);
	users_delete(tx, id);
	assert_int_equal(run(tx, NULL, NULL), ERR_CONFLICT);
	fixture_sql(fx, "DELETE FROM fleetscale.nodes");
	tx = in(tailnet);
	users_delete(tx, id);
	assert_int_equal(run(tx, NULL, NULL), ERR_NONE);
	tx = in(tailnet);
	users_get(tx, id);
	assert_int_equal(run(tx, see_user, &none), ERR_NONE);
	tx = in(tailnet);
	users_delete(tx, id);
	assert_int_equal(run(tx, NULL, NULL), ERR_NOT_FOUND);
	tx = in(tailnet);
	users_rename(tx, id, BYTES("x"));
	assert_int_equal(run(tx, NULL, NULL), ERR_NOT_FOUND);
}

static struct authkey one_key;

static void see_authkey(void *context, struct tx *tx)
{
	struct authkey *rows;
	(void)context;
	assert_int_equal(authkeys_read(tx, 0, arena, &rows), 1);
	one_key = rows[0];
}

static void auth_keys_are_revoked_not_forgotten(void **state)
{
	struct secret secret;
	struct bytes tags[] = {BYTES("tag:a"), BYTES("tag:b")};
	struct authkey key = {.tags = tags, .tag_count = 2, .reusable = true, .expiry = {1900000000000000000}, .description = BYTES("d")};
	struct tx *tx = in(tailnet);
	(void)state;
	secret_mint(SECRET_AUTH, &secret);
	memcpy(key.prefix, secret.prefix, sizeof key.prefix);
	memcpy(key.hash, secret.hash, sizeof key.hash);
	authkeys_insert(tx, &key);
	assert_int_equal(run(tx, see_authkey, NULL), ERR_NONE);
	assert_string_equal(one_key.prefix, secret.prefix);
	assert_memory_equal(one_key.hash, secret.hash, SECRET_HASH_LEN);
	assert_true(one_key.tag_count == 2 && one_key.user == 0 && one_key.reusable && !one_key.ephemeral && one_key.expiry.ns == key.expiry.ns);
	uint64_t id = one_key.id;
	for (int again = 0; again < 2; again++) {
		tx = in(tailnet);
		authkeys_expire(tx, id);
		assert_int_equal(run(tx, NULL, NULL), ERR_NONE);
	}
	tx = in(tailnet);
	authkeys_list(tx);
	assert_int_equal(run(tx, see_authkey, NULL), ERR_NONE);
	assert_false(wall_is_zero(one_key.revoked));
	tx = in(tailnet);
	authkeys_delete(tx, id);
	assert_int_equal(run(tx, NULL, NULL), ERR_NONE);
	tx = in(tailnet);
	authkeys_expire(tx, id);
	assert_int_equal(run(tx, NULL, NULL), ERR_NOT_FOUND);
	tx = in(tailnet);
	key.tag_count = 0;
	authkeys_insert(tx, &key);
	assert_int_equal(run(tx, NULL, NULL), ERR_MALFORMED);
}

struct found {
	bool done;
	enum err e;
	const struct apikey *key;
};

static void on_found(void *context, enum err e, const struct apikey *key)
{
	*(struct found *)context = (struct found){true, e, key};
}

static const struct apikey *find(const char *prefix)
{
	struct found found = {0};
	apikeys_find(pg, bytes_text(prefix), arena, on_found, &found);
	assert_true(fixture_wait(loop, &found.done, 5000));
	assert_int_equal(found.e, ERR_NONE);
	return found.key;
}

static void see_apikeys(void *context, struct tx *tx)
{
	struct apikey *rows;
	*(size_t *)context = apikeys_read(tx, 0, arena, &rows);
}

static void api_keys_belong_to_a_tailnet_or_the_operator(void **state)
{
	uint64_t owners[] = {0, tailnet};
	struct secret secrets[2];
	size_t count;
	bool never = false;
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct apikey key = {.expiry = WALL_ZERO, .description = BYTES("x")};
		struct tx *tx = in(owners[i]);
		secret_mint(SECRET_API, &secrets[i]);
		memcpy(key.prefix, secrets[i].prefix, sizeof key.prefix);
		memcpy(key.hash, secrets[i].hash, sizeof key.hash);
		apikeys_insert(tx, &key);
		assert_int_equal(run(tx, see_apikeys, &count), ERR_NONE);
	}
	for (int i = 0; i < 2; i++) {
		const struct apikey *key = find(secrets[i].prefix);
		assert_true(key && key->tailnet == owners[i] && secret_matches(&secrets[i], key->hash) && wall_is_zero(key->last_used) &&
			    wall_is_zero(key->expiry));
		apikeys_touch(pg, key);
		fixture_wait(loop, &never, 100);
		key = find(secrets[i].prefix);
		assert_false(wall_is_zero(key->last_used));
		struct tx *tx = in(owners[i]);
		apikeys_list(tx);
		assert_int_equal(run(tx, see_apikeys, &count), ERR_NONE);
		assert_int_equal(count, 1);
		/* From the other side it is not there. */
		tx = in(owners[!i]);
		apikeys_expire(tx, key->id);
		assert_int_equal(run(tx, NULL, NULL), ERR_NOT_FOUND);
		tx = in(owners[i]);
		apikeys_expire(tx, key->id);
		assert_int_equal(run(tx, NULL, NULL), ERR_NONE);
		assert_false(wall_is_zero(find(secrets[i].prefix)->revoked));
		tx = in(owners[i]);
		apikeys_delete(tx, key->id);
		assert_int_equal(run(tx, NULL, NULL), ERR_NONE);
		assert_null(find(secrets[i].prefix));
	}
	assert_null(find("nonesuch"));
}

struct seen {
	struct audit *rows;
	size_t count;
};

static void see_audits(void *context, struct tx *tx)
{
	struct seen *seen = context;
	seen->count = audits_read(tx, 0, arena, &seen->rows);
}

static struct seen audits_of(uint64_t owner)
{
	struct seen seen;
	struct tx *tx = in(owner);
	audits_list(tx, 0, 10, 1 << 20);
	assert_int_equal(run(tx, see_audits, &seen), ERR_NONE);
	return seen;
}

static struct audit line(const char *action)
{
	return (struct audit){.actor = BYTES("apikey"), .credential = BYTES("abc"), .request = BYTES("77"), .action = bytes_text(action)};
}

static void audits_go_with_what_they_tell(void **state)
{
	struct audit audit = line("user.create");
	(void)state;
	audit.name = BYTES("audited");
	for (int fails = 0; fails < 2; fails++) {
		struct tx *tx = in(tailnet);
		audits_open(tx, &audit);
		users_insert(tx, &(struct user){.tailnet = tailnet, .name = BYTES("audited")});
		if (fails)
			tx_add(tx, "SELECT fleetscale.refuse('FS001', 'x')");
		assert_int_equal(run(tx, NULL, NULL), fails ? ERR_EXISTS : ERR_NONE);
	}
	struct seen seen = audits_of(tailnet);
	assert_int_equal(seen.count, 1);
	assert_true(seen.rows[0].tailnet == tailnet && seen.rows[0].subject && !wall_is_zero(seen.rows[0].at) && !seen.rows[0].refused);
	assert_true(bytes_equal_text(seen.rows[0].actor, "apikey") && bytes_equal_text(seen.rows[0].credential, "abc"));
	assert_true(bytes_equal_text(seen.rows[0].request, "77") && bytes_equal_text(seen.rows[0].action, "user.create"));
	assert_true(!seen.rows[0].before.len && strstr((const char *)seen.rows[0].after.at, "\"name\": \"audited\""));
	assert_int_equal(audits_of(0).count, 0);
}

static void audits_show_what_differs(void **state)
{
	struct seen seen = audits_of(tailnet);
	struct audit audit = line("user.rename");
	uint64_t user = seen.rows[0].subject;
	(void)state;
	audit.subject = user;
	struct tx *tx = in(tailnet);
	audits_open(tx, &audit);
	users_rename(tx, user, BYTES("other"));
	assert_int_equal(run(tx, NULL, NULL), ERR_NONE);
	seen = audits_of(tailnet);
	assert_true(bytes_equal_text(seen.rows[0].before, "{\"name\": \"audited\"}") && bytes_equal_text(seen.rows[0].after, "{\"name\": \"other\"}"));
	audit = line("user.delete");
	audit.subject = user;
	tx = in(tailnet);
	audits_open(tx, &audit);
	users_delete(tx, user);
	assert_int_equal(run(tx, NULL, NULL), ERR_NONE);
	seen = audits_of(tailnet);
	assert_true(seen.rows[0].subject == user && !seen.rows[0].after.len && strstr((const char *)seen.rows[0].before.at, "\"other\""));
	audit = line("POST /api/v1/user");
	audit.detail = BYTES("{\"status\":409}");
	tx = in(tailnet);
	audits_refuse(tx, &audit);
	assert_int_equal(run(tx, NULL, NULL), ERR_NONE);
	seen = audits_of(tailnet);
	assert_true(seen.count == 4 && seen.rows[0].refused && !seen.rows[0].subject && bytes_equal_text(seen.rows[0].detail, "{\"status\":409}"));
}

/* Every kind has a state, and none tells a hash. */
static void audits_tell_no_hash(void **state)
{
	static const char *const kinds[] = {"node", "user", "authkey", "apikey", "tailnet", "relay", "login"};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(kinds); i++) {
		struct tx *tx = in(0);
		tx_arg_text(tx, bytes_text(kinds[i]));
		tx_add(tx, "SELECT fleetscale.audit_state($1, 1, NULL)");
		assert_int_equal(run(tx, NULL, NULL), ERR_NONE);
	}
	assert_string_equal(fixture_sql(fx, "SELECT count(*) FROM fleetscale.audits a WHERE a.before_state ? 'hash' OR a.after_state ? 'hash'"), "0");
	assert_string_equal(
		fixture_sql(fx, "SELECT count(*) > 0 AND bool_and(fleetscale.audit_state('tailnet', id, NULL) ->> 'name' = name) FROM fleetscale.tailnets"),
		"t");
}

/* Lines are told until they have passed so many bytes, and those that follow when they are asked for. */
static void large_audits_are_told_a_few_at_a_time(void **state)
{
	static const size_t expected[] = {3, 3, 1, 0};
	uint64_t before = 0;
	(void)state;
	fixture_sql(fx, "DELETE FROM fleetscale.audits WHERE tailnet_id = 0");
	fixture_sql(fx, "INSERT INTO fleetscale.audits (tailnet_id, actor, action, after_state) "
			"SELECT 0, 'socket', 'tailnet.update', jsonb_build_object('notice', repeat('x', 400000)) FROM generate_series(1, 7)");
	for (size_t i = 0; i < COUNT_OF(expected); i++) {
		struct seen seen;
		struct tx *tx = in(0);
		audits_list(tx, before, 10, 1 << 20);
		assert_int_equal(run(tx, see_audits, &seen), ERR_NONE);
		assert_int_equal(seen.count, expected[i]);
		for (size_t r = 0; r < seen.count; r++) {
			assert_true(!before || seen.rows[r].id < before);
			before = seen.rows[r].id;
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tailnets_are_made_whole),
		cmocka_unit_test(users_come_and_go),
		cmocka_unit_test(auth_keys_are_revoked_not_forgotten),
		cmocka_unit_test(api_keys_belong_to_a_tailnet_or_the_operator),
		cmocka_unit_test(audits_go_with_what_they_tell),
		cmocka_unit_test(audits_show_what_differs),
		cmocka_unit_test(audits_tell_no_hash),
		cmocka_unit_test(large_audits_are_told_a_few_at_a_time),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
