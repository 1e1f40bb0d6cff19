/* Who may act on which tailnet, over a played store and carrier. */
#include "guard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "apikeys.h"
#include "dispatch.h"
#include "log.h"
#include "rate.h"
#include "tailnets.h"

static struct coordinator c;
static const struct coordinator_options options = {.admin_per_minute = 5};
static struct bytes static_scope;
static char remaining[16], retry[16];
static struct exchange x;
static struct secret secret;
static struct apikey key;
static bool key_stands, leaves;
static enum err find_error, look_error;
static char authorization[160], named[64], asked[64];
static unsigned status, answers, passes;

/* --- played neighbours: two tailnets, `default` (1) and `other` (2) ---------------------------------------------------------------------------- */

struct tx {
	uint64_t tailnet;
};

static struct tx tx;

void apikeys_find(struct pg *pg, struct bytes prefix, struct arena *arena, apikey_fn on_found, void *context)
{
	(void)pg, (void)arena;
	x.gone = leaves;
	on_found(context, find_error, key_stands && !find_error && bytes_equal_text(prefix, key.prefix) ? &key : NULL);
}

void apikeys_touch(struct pg *pg, const struct apikey *of)
{
	(void)pg, (void)of;
}

void act_audit_refusal(struct coordinator *coordinator, const struct actor *actor, const char *action, const char *detail)
{
	(void)coordinator, (void)actor, (void)action, (void)detail;
}

struct tx *tx_begin(struct pg *pg, uint64_t tailnet, enum tx_mode mode)
{
	(void)pg;
	assert_int_equal(mode, TX_READ);
	tx.tailnet = tailnet;
	return &tx;
}

unsigned tailnets_get(struct tx *of)
{
	snprintf(asked, sizeof asked, "%s", of->tailnet == 1 ? "default" : of->tailnet == 2 ? "other" : "");
	return 0;
}

unsigned tailnets_find(struct tx *of, struct bytes name)
{
	assert_int_equal(of->tailnet, TAILNET_INSTALLATION);
	snprintf(asked, sizeof asked, "%.*s", BYTES_ARG(name));
	return 0;
}

size_t tailnets_read(struct tx *of, unsigned statement, struct arena *arena, struct tailnet **out)
{
	bool is_default = !strcmp(asked, "default"), is_other = !strcmp(asked, "other");

	(void)of, (void)statement;
	if (!is_default && !is_other)
		return 0;
	*out = ARENA_NEW(arena, struct tailnet);
	(*out)->id = is_default ? 1 : 2;
	(*out)->name = is_default ? BYTES("default") : BYTES("other");
	return 1;
}

void tx_run(struct tx *of, tx_fn on_done, void *context)
{
	on_done(context, look_error, of, &(struct diag){0});
}

void dispatch_pass(struct exchange *exchange)
{
	passes++;
	exchange->answered = true;
}

/* As the doors do: no header is left when the client has gone. */
static struct bytes play_header(const struct exchange *exchange, const char *name)
{
	if (exchange->gone)
		return BYTES_NONE;
	if (!strcmp(name, "authorization") && *authorization)
		return bytes_text(authorization);
	return !strcmp(name, "fleetscale-tailnet") && *named ? bytes_text(named) : BYTES_NONE;
}

static void play_add_header(struct exchange *exchange, const char *name, struct bytes value)
{
	(void)exchange;
	if (!strcmp(name, "RateLimit-Remaining"))
		snprintf(remaining, sizeof remaining, "%.*s", BYTES_ARG(value));
	if (!strcmp(name, "Retry-After"))
		snprintf(retry, sizeof retry, "%.*s", BYTES_ARG(value));
}

static void play_reply(struct exchange *exchange, unsigned code, const char *type, struct bytes body)
{
	(void)exchange, (void)type, (void)body;
	status = code;
	answers++;
}

static const struct carrier PLAYED = {.header = play_header, .add_header = play_add_header, .reply = play_reply};

/* --- asking ------------------------------------------------------------------------------------------------------------------------------------- */

/* The tailnet acted on (-1: the installation), or 0 and `status`. */
static int ask(enum door door, void (*guard)(struct exchange *x))
{
	arena_free(&x.arena);
	x = (struct exchange){.carrier = &PLAYED, .arena = arena_new(), .program = &c, .door = door, .path = BYTES("/api/v1/node")};
	status = answers = passes = 0;
	remaining[0] = retry[0] = 0;
	asked[0] = 0;
	guard(&x);
	assert_int_equal(answers + passes, 1);
	return !passes ? 0 : guard == guard_operator ? -1 : (int)asker_of(&x)->tailnet.id;
}

static void bear(const char *text)
{
	snprintf(authorization, sizeof authorization, "Bearer %s", text);
}

static void name(const char *tailnet)
{
	snprintf(named, sizeof named, "%s", tailnet);
}

static int set_up(void **state)
{
	(void)state;
	clock_set_by_hand((struct mono){1000}, wall_of_ms(1800000000000));
	secret_mint(SECRET_API, &secret);
	key = (struct apikey){.id = 9, .tailnet = 1, .expiry = wall_of_ms(1900000000000), .revoked = WALL_ZERO};
	memcpy(key.prefix, secret.prefix, sizeof key.prefix);
	memcpy(key.hash, secret.hash, sizeof key.hash);
	key_stands = true;
	leaves = false;
	find_error = look_error = ERR_NONE;
	named[0] = 0;
	key.scope_count = 1;
	key.scopes = (static_scope = BYTES("all"), &static_scope);
	rate_free(&c.admin_rate);
	c.admin_rate = rate_new(5, 16);
	c.options = &options;
	bear(secret.text);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	arena_free(&x.arena);
	rate_free(&c.admin_rate);
	return 0;
}

static void test_a_tailnets_key_stays_at_home(void **state)
{
	(void)state;
	assert_int_equal(ask(DOOR_ADMIN, guard_any), 1);
	assert_false(asker_of(&x)->is_operator);
	name("default");
	assert_int_equal(ask(DOOR_ADMIN, guard_any), 1);
	name("other");
	assert_int_equal(ask(DOOR_ADMIN, guard_any), 0);
	assert_int_equal(status, 404);
	name("nobody");
	assert_int_equal(ask(DOOR_ADMIN, guard_any), 0);
	assert_int_equal(status, 404);
	name("");
	assert_int_equal(ask(DOOR_ADMIN, guard_operator), 0);
	assert_int_equal(status, 404);
}

static void test_the_operator_names_a_tailnet(void **state)
{
	(void)state;
	key.tailnet = 0;
	assert_int_equal(ask(DOOR_ADMIN, guard_any), 1);
	assert_true(asker_of(&x)->is_operator);
	name("other");
	assert_int_equal(ask(DOOR_ADMIN, guard_any), 2);
	assert_int_equal(asker_of(&x)->actor.tailnet, 2);
	name("nobody");
	assert_int_equal(ask(DOOR_ADMIN, guard_any), 0);
	assert_int_equal(status, 404);
	assert_int_equal(ask(DOOR_ADMIN, guard_operator), -1);
}

/* What was asked for one tailnet is never done to another. */
static void test_who_left_still_means_the_tailnet_named(void **state)
{
	(void)state;
	key.tailnet = 0;
	leaves = true;
	name("other");
	assert_int_equal(ask(DOOR_ADMIN, guard_any), 2);
	assert_true(bytes_equal_text(asker_of(&x)->named, "other"));
}

static void test_the_socket_is_the_operator(void **state)
{
	(void)state;
	authorization[0] = 0;
	assert_int_equal(ask(DOOR_SOCKET, guard_any), 1);
	assert_string_equal(asker_of(&x)->actor.name, "socket");
	name("other");
	assert_int_equal(ask(DOOR_SOCKET, guard_any), 2);
	assert_int_equal(ask(DOOR_SOCKET, guard_operator), -1);
	assert_int_equal(ask(DOOR_ADMIN, guard_operator), 0);
	assert_int_equal(status, 401);
}

static void test_bad_credentials_look_the_same(void **state)
{
	char text[SECRET_TEXT_MAX];

	(void)state;
	authorization[0] = 0;
	ask(DOOR_ADMIN, guard_any);
	assert_int_equal(status, 401);
	bear("hskey-auth-123456789012-00");
	ask(DOOR_ADMIN, guard_any);
	assert_int_equal(status, 401);
	snprintf(text, sizeof text, "%s", secret.text);
	text[strlen(text) - 1] = text[strlen(text) - 1] == '0' ? '1' : '0';
	bear(text);
	ask(DOOR_ADMIN, guard_any);
	assert_int_equal(status, 401);
	bear(secret.text);
	key_stands = false;
	ask(DOOR_ADMIN, guard_any);
	assert_int_equal(status, 401);
	key_stands = true;
	key.expiry = wall_of_ms(1800000000000);
	ask(DOOR_ADMIN, guard_any);
	assert_int_equal(status, 401);
	key.expiry = WALL_ZERO;
	key.revoked = wall_of_ms(1);
	ask(DOOR_ADMIN, guard_any);
	assert_int_equal(status, 401);
	key.revoked = WALL_ZERO;
	assert_int_equal(ask(DOOR_ADMIN, guard_any), 1);
}

static void test_without_a_database_nobody_is_let_in(void **state)
{
	(void)state;
	find_error = ERR_UNAVAILABLE;
	assert_int_equal(ask(DOOR_ADMIN, guard_any), 0);
	assert_int_equal(status, 503);
	find_error = ERR_NONE;
	look_error = ERR_TIMEOUT;
	assert_int_equal(ask(DOOR_ADMIN, guard_any), 0);
	assert_int_equal(status, 503);
}

static void test_a_key_does_what_its_scopes_say(void **state)
{
	static const struct {
		const char *scope;
		void (*guard)(struct exchange *);
		bool passes;
	} rows[] = {
		{"all", guard_nodes, true},
		{"nodes", guard_nodes, true},
		{"nodes:read", guard_nodes, false},
		{"nodes:read", guard_nodes_read, true},
		{"users", guard_nodes_read, false},
		{"users", guard_users_read, true},
		{"audits:read", guard_audits_read, true},
		{"nodes", guard_audits_read, false},
		{"policy", guard_policy, true},
		{"policy:read", guard_policy, false},
		{"policy:read", guard_policy_read, true},
		{"nodes", guard_any, true},
		{"of-another-age", guard_any, true},
		{"of-another-age", guard_nodes_read, false},
		{"apikeys", guard_apikeys, true},
		{"authkeys:read", guard_authkeys, false},
		{"settings", guard_settings, true},
		{"all:read", guard_settings, false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		set_up(NULL);
		static_scope = bytes_text(rows[i].scope);
		ask(DOOR_ADMIN, rows[i].guard);
		assert_int_equal(passes, rows[i].passes);
		assert_true(rows[i].passes || status == 403);
	}
	key.tailnet = 0;
	static_scope = BYTES("operator:read");
	assert_int_equal(ask(DOOR_ADMIN, guard_operator), 0);
	assert_int_equal(status, 403);
	static_scope = BYTES("operator");
	assert_int_equal(ask(DOOR_ADMIN, guard_operator), -1);
}

static void test_a_key_has_its_rate(void **state)
{
	(void)state;
	for (int i = 4; i >= 0; i--) {
		assert_int_equal(ask(DOOR_ADMIN, guard_any), 1);
		assert_int_equal(atoi(remaining), i);
	}
	assert_int_equal(ask(DOOR_ADMIN, guard_any), 0);
	assert_int_equal(status, 429);
	assert_true(atoi(retry) > 0);
	for (int i = 0; i < 20; i++)
		assert_int_equal(ask(DOOR_SOCKET, guard_any), 1);
	assert_string_equal(remaining, "");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_tailnets_key_stays_at_home),           TEST(test_the_operator_names_a_tailnet),
		TEST(test_who_left_still_means_the_tailnet_named), TEST(test_the_socket_is_the_operator),
		TEST(test_bad_credentials_look_the_same),          TEST(test_without_a_database_nobody_is_let_in),
		TEST(test_a_key_does_what_its_scopes_say),         TEST(test_a_key_has_its_rate),
	};

	log_setup("guard_test", LOG_ERROR, LOG_TEXT);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
