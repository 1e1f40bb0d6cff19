/* Registrations against played reads and writes: each verdict's answer, whatever fails, whoever leaves; what the rules decide is admission's own test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <jansson.h>

#include "act_node.h"
#include "charter.h"
#include "log.h"
#include "played.h"
#include "rate.h"
#include "regmsg.h"
#include "serve_login.h"
#include "serve_register.h"

static struct coordinator c;
static struct exchange x;
static struct machine_key machine = {{1}};
static struct node node;
static struct user owner = {.id = 11, .tailnet = 1, .name = BYTES("ann"), .email = BYTES("ann@example.com")};
static struct authkey authkey;
static struct secret secret;
static bool node_known, key_known, node_gone, leaves;
static enum err find_error, act_error;
static const char *act_sentence;
static struct enrollment acted;
static enum { NOTHING, ENROLL, REKEY, LOGOUT, EXPIRY, TAG } did;
static enum err charter_error;
static bool has_pools;
static unsigned charters_asked;
static uint64_t asked_user;
static json_t *json;

/* --- played neighbours ------------------------------------------------------------------------------------------------------------------------ */

void nodes_find_for_register(struct pg *pg, const struct nodes_question *question, struct arena *arena, nodes_known_fn on_known, void *context)
{
	struct nodes_known *known = ARENA_NEW(arena, struct nodes_known);
	bool right = key_known && question->secret && secret_matches(question->secret, secret.hash);

	(void)pg;
	if (node_known)
		known->by_node_key = (struct nodes_place){.node = &node, .user = node.tag_count ? NULL : &owner};
	known->known.by_node_key = known->by_node_key.node;
	known->known.authkey = right ? &authkey : NULL;
	known->key_user = right ? &owner : NULL;
	x.gone = leaves;
	on_known(context, find_error, find_error ? NULL : known);
}

static void acts(int what, const struct enrollment *enrollment, act_node_fn on_done, void *context)
{
	struct diag why = {0};

	did = what;
	if (enrollment)
		acted = *enrollment;
	if (act_sentence)
		diag_set(&why, act_error, "%s", act_sentence);
	on_done(context, act_error, act_error || node_gone ? NULL : &node, &why);
}

void act_node_enroll(struct coordinator *coordinator, uint64_t tailnet, const struct enrollment *enrollment, act_node_fn on_done, void *context)
{
	(void)coordinator;
	assert_int_equal(tailnet, 1);
	acts(ENROLL, enrollment, on_done, context);
}

void act_node_rekey(struct coordinator *coordinator, const struct node *of, const struct enrollment *enrollment, act_node_fn on_done, void *context)
{
	(void)coordinator, (void)of;
	acts(REKEY, enrollment, on_done, context);
}

void act_node_logout(struct coordinator *coordinator, const struct node *of, act_node_fn on_done, void *context)
{
	(void)coordinator, (void)of;
	acts(LOGOUT, NULL, on_done, context);
}

void act_node_set_expiry(struct coordinator *coordinator, const struct actor *actor, uint64_t tailnet, uint64_t id, struct wall expiry, act_node_fn on_done,
			 void *context)
{
	(void)coordinator, (void)tailnet, (void)id, (void)expiry;
	assert_null(actor);
	acts(EXPIRY, NULL, on_done, context);
}

void act_node_retag(struct coordinator *coordinator, const struct node *was, const struct bytes *tags, size_t count, act_node_fn on_done, void *context)
{
	(void)coordinator;
	assert_true(was->tag_count);
	acted = (struct enrollment){.tags = tags, .tag_count = count};
	acts(TAG, NULL, on_done, context);
}

/* A policy in which ann may have tag:web, and tag:db is owned by that; with pools or without. */
void charter_ask(struct coordinator *coordinator, uint64_t tailnet, uint64_t user, charter_fn on_read, void *context)
{
	static const struct charter charter;

	(void)coordinator;
	assert_int_equal(tailnet, 1);
	charters_asked++;
	asked_user = user;
	on_read(context, charter_error, charter_error ? NULL : &charter);
}

static bool may(const void *context, uint64_t user, const struct node *carried, struct bytes tag)
{
	(void)context;
	if (bytes_equal_text(tag, "tag:web"))
		return user == 11;
	return bytes_equal_text(tag, "tag:db") && carried && bytes_equal_text(carried->tags[0], "tag:web");
}

struct tag_rights charter_rights(const struct charter *charter)
{
	return (struct tag_rights){may, charter};
}

static const struct prefix pool = {{IP_V4, {100, 81}}, 24};

size_t charter_pools(const struct charter *charter, const struct node *of, const struct prefix **pools)
{
	(void)charter;
	assert_true((of->user == 11) != (of->tag_count > 0));
	*pools = &pool;
	return has_pools;
}

bool charter_lacks_pools(const struct charters *charters, uint64_t tailnet, uint64_t version)
{
	(void)charters, (void)tailnet, (void)version;
	return !has_pools;
}

static unsigned logins;

void login_serve(struct exchange *exchange, const struct register_request *request)
{
	(void)request;
	logins++;
	exchange_reply_text(exchange, 200, "{}");
}

/* --- asking ------------------------------------------------------------------------------------------------------------------------------------- */

static const char *wished; /* RequestTags */

static void ask_with(const char *auth, const char *fields)
{
	char body[2048];
	int len = snprintf(body, sizeof body,
			   "{\"Version\":142,\"NodeKey\":\"nodekey:%064x\",\"Auth\":{\"AuthKey\":\"%s\"},"
			   "\"Hostinfo\":{\"Hostname\":\"Laptop\",\"RequestTags\":[%s]}%s}",
			   7, auth, wished, fields);

	arena_free(&x.arena);
	x = (struct exchange){.carrier = &PLAYED, .arena = arena_new(), .program = &c, .machine = &machine, .door = DOOR_NOISE};
	x.body = arena_copy(x.arena, bytes_of(body, (size_t)len));
	status = answers = 0;
	did = NOTHING;
	retry_after[0] = text[0] = 0;
	json_decref(json);
	serve_register(&x);
	assert_true(x.answered);
	assert_int_equal(answers, 1);
	assert_null(strstr(text, secret.text));
	json = json_loads(text, 0, NULL);
}

static const char *error_text(void)
{
	const char *error = json_string_value(json_object_get(json, "Error"));

	return error ? error : "";
}

static const char *login_name(void)
{
	const char *name = json_string_value(json_object_get(json_object_get(json, "Login"), "LoginName"));

	return name ? name : "";
}

static bool says_expired(void)
{
	return json_is_true(json_object_get(json, "NodeKeyExpired"));
}

static int set_up(void **state)
{
	(void)state;
	clock_set_by_hand((struct mono){1000}, wall_of_ms(1800000000000));
	c = (struct coordinator){.register_rate = rate_new(1000, 16)};
	secret_mint(SECRET_AUTH, &secret);
	authkey = (struct authkey){.id = 5, .tailnet = 1, .user = 11, .reusable = true, .expiry = WALL_ZERO, .revoked = WALL_ZERO};
	node = (struct node){.id = 3, .tailnet = 1, .user = 11, .machine_key = machine, .expiry = WALL_ZERO, .created = wall_of_ms(1), .approved = true};
	node_known = node_gone = leaves = false;
	logins = charters_asked = 0;
	has_pools = false;
	charter_error = ERR_NONE;
	wished = "";
	key_known = true;
	find_error = act_error = ERR_NONE;
	act_sentence = NULL;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	arena_free(&x.arena);
	json_decref(json);
	json = NULL;
	rate_free(&c.register_rate);
	return 0;
}

static void test_a_good_key_joins(void **state)
{
	(void)state;
	ask_with(secret.text, "");
	assert_int_equal(status, 200);
	assert_int_equal(did, ENROLL);
	assert_string_equal(error_text(), "");
	assert_string_equal(login_name(), "ann@example.com");
	assert_true(bytes_equal_text(acted.label, "laptop"));
	assert_int_equal(acted.authkey, 5);
	assert_int_equal(acted.user, 11);
	assert_false(acted.consume_key);
}

static void test_a_known_node_changes_nothing(void **state)
{
	(void)state;
	node_known = true;
	ask_with("", "");
	assert_int_equal(did, NOTHING);
	assert_string_equal(login_name(), "ann@example.com");
	ask_with(secret.text, "");
	assert_int_equal(did, NOTHING);
	assert_string_equal(login_name(), "ann@example.com");
}

static void test_a_node_that_expires_sooner_keeps_its_owner(void **state)
{
	(void)state;
	node_known = true;
	ask_with("", ",\"Expiry\":\"2040-01-01T00:00:00Z\"");
	assert_int_equal(did, EXPIRY);
	assert_string_equal(login_name(), "ann@example.com");
}

static void test_tagged_nodes_have_their_profile(void **state)
{
	struct bytes tag = BYTES("tag:web");

	(void)state;
	node_known = true;
	node.user = 0;
	node.tags = &tag;
	node.tag_count = 1;
	ask_with("", "");
	assert_string_equal(login_name(), "tagged-devices");
	assert_int_equal(json_integer_value(json_object_get(json_object_get(json, "User"), "ID")), 3);
}

/* The policy is asked only where it decides something. */
static void test_tags_are_given_by_the_policy(void **state)
{
	static struct bytes web = BYTES("tag:web");

	(void)state;
	ask_with(secret.text, "");
	assert_int_equal(charters_asked, 0);
	wished = "\"tag:web\"";
	ask_with(secret.text, "");
	assert_int_equal(charters_asked, 1);
	assert_int_equal(asked_user, 11);
	assert_int_equal(did, ENROLL);
	assert_true(acted.user == 0 && acted.tag_count == 1 && bytes_equal_text(acted.tags[0], "tag:web") && wall_is_zero(acted.expiry));
	wished = "\"tag:web\",\"tag:db\"";
	ask_with(secret.text, "");
	assert_int_equal(did, NOTHING);
	assert_string_equal(error_text(), "requested tags [tag:db] are invalid or not permitted");
	/* Those of the key need no policy; what they own does. */
	authkey.tags = &web;
	authkey.tag_count = 1;
	charters_asked = 0;
	wished = "\"tag:web\"";
	ask_with(secret.text, "");
	assert_int_equal(charters_asked, 0);
	assert_int_equal(did, ENROLL);
	wished = "\"tag:db\"";
	ask_with(secret.text, "");
	assert_true(charters_asked == 1 && asked_user == 0 && did == ENROLL && bytes_equal_text(acted.tags[0], "tag:db"));
	charter_error = ERR_TIMEOUT;
	ask_with(secret.text, "");
	assert_int_equal(status, 503);
}

static void test_a_known_node_asks_for_tags(void **state)
{
	static struct bytes web = BYTES("tag:web");

	(void)state;
	node_known = true;
	node.user = 0;
	node.tags = &web;
	node.tag_count = 1;
	node.hostinfo = BYTES("{\"RequestTags\":[\"tag:king\"]}");
	wished = "\"tag:king\"";
	ask_with("", "");
	assert_int_equal(did, NOTHING);
	assert_string_equal(login_name(), "tagged-devices");
	wished = "\"tag:db\"";
	ask_with("", "");
	assert_true(did == TAG && acted.tag_count == 1 && bytes_equal_text(acted.tags[0], "tag:db"));
	wished = "\"tag:queen\"";
	ask_with("", "");
	assert_int_equal(did, NOTHING);
	assert_true(says_expired());
}

static void test_pools_are_asked_for_new_nodes(void **state)
{
	(void)state;
	has_pools = true;
	ask_with(secret.text, "");
	assert_true(charters_asked == 1 && did == ENROLL && acted.pool_count == 1 && !prefix_compare(acted.pools[0], pool));
	wished = "\"tag:web\"";
	ask_with(secret.text, "");
	assert_true(charters_asked == 2 && did == ENROLL && acted.pool_count == 1);
	act_error = ERR_EXHAUSTED;
	act_sentence = "the address pool 100.81.0.0/24 that the policy gives this node is full";
	ask_with(secret.text, "");
	assert_string_equal(error_text(), act_sentence);
	act_error = ERR_NONE;
	node_known = true;
	wished = "";
	charters_asked = 0;
	ask_with(secret.text, "");
	assert_int_equal(charters_asked, 0);
	node_known = false;
	charter_error = ERR_UNAVAILABLE;
	ask_with(secret.text, "");
	assert_int_equal(status, 503);
}

static void test_logouts_succeed(void **state)
{
	static const char *const past = ",\"Expiry\":\"1970-01-01T00:02:03Z\"";

	(void)state;
	ask_with(secret.text, past);
	assert_int_equal(status, 200);
	assert_int_equal(did, NOTHING);
	assert_string_equal(error_text(), "");
	node_known = true;
	ask_with(secret.text, past);
	assert_int_equal(did, LOGOUT);
	assert_true(says_expired());
	/* Deleted: by this, or meanwhile. */
	node_gone = true;
	ask_with("", past);
	assert_true(says_expired());
	act_error = ERR_NOT_FOUND;
	ask_with("", past);
	assert_true(says_expired());
	act_error = ERR_UNAVAILABLE;
	ask_with("", past);
	assert_int_equal(status, 503);
}

static void test_refusals_are_told(void **state)
{
	(void)state;
	ask_with("", "");
	assert_int_equal(logins, 1);
	ask_with("", ",\"Followup\":\"https://x/register/y\"");
	assert_int_equal(logins, 2);
	ask_with("tskey-auth-x", "");
	assert_true(*error_text());
	key_known = false;
	ask_with(secret.text, "");
	assert_true(*error_text());
	node_known = true;
	node.expiry = wall_of_ms(1);
	ask_with("", "");
	assert_true(says_expired());
	node.machine_key.raw[0] = 2;
	ask_with("", "");
	assert_int_equal(status, 401);
	assert_null(strstr(text, "ann"));
}

/* Refused by the transaction: 200 and the sentence. Trouble of ours: 503 and no Error, so that nobody is told that his key is bad. */
static void test_failures_are_of_the_right_kind(void **state)
{
	static const enum err theirs[] = {ERR_EXHAUSTED, ERR_EXISTS, ERR_NOT_FOUND, ERR_CONFLICT, ERR_DENIED},
			      ours[] = {ERR_UNAVAILABLE, ERR_TIMEOUT, ERR_CANCELED, ERR_BUG, ERR_MALFORMED};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(theirs); i++) {
		act_error = theirs[i];
		act_sentence = "the sentence";
		ask_with(secret.text, "");
		assert_int_equal(status, 200);
		assert_string_equal(error_text(), "the sentence");
	}
	for (size_t i = 0; i < COUNT_OF(ours); i++) {
		act_error = ours[i];
		ask_with(secret.text, "");
		assert_int_equal(status, 503);
		assert_string_equal(retry_after, "5");
		assert_null(json);
		act_error = ERR_NONE;
		find_error = ours[i];
		ask_with(secret.text, "");
		assert_int_equal(status, 503);
		find_error = ERR_NONE;
	}
	node_gone = true;
	ask_with(secret.text, "");
	assert_int_equal(status, 503);
}

static void test_who_left_is_answered_to_nobody(void **state)
{
	(void)state;
	leaves = true;
	ask_with(secret.text, "");
	ask_with("", "");
	find_error = ERR_TIMEOUT;
	ask_with(secret.text, "");
}

static void test_who_asks_too_often_waits(void **state)
{
	(void)state;
	rate_free(&c.register_rate);
	c.register_rate = rate_new(2, 16);
	ask_with("", "");
	ask_with("", "");
	ask_with("", "");
	assert_int_equal(status, 429);
	assert_true(atoi(retry_after) > 0);
}

static void test_bad_requests(void **state)
{
	(void)state;
	ask_with("", ",\"Expiry\":\"tomorrow\"");
	assert_int_equal(status, 400);
	ask_with("", ",\"Version\":89");
	assert_int_equal(status, 400);
	ask_with("", ",\"NodeKey\":\"nodekey:7\"");
	assert_int_equal(status, 400);
	ask_with("", ",\"Ephemeral\":1");
	assert_int_equal(status, 400);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_good_key_joins),
		TEST(test_a_known_node_changes_nothing),
		TEST(test_a_node_that_expires_sooner_keeps_its_owner),
		TEST(test_tagged_nodes_have_their_profile),
		TEST(test_tags_are_given_by_the_policy),
		TEST(test_a_known_node_asks_for_tags),
		TEST(test_pools_are_asked_for_new_nodes),
		TEST(test_logouts_succeed),
		TEST(test_refusals_are_told),
		TEST(test_failures_are_of_the_right_kind),
		TEST(test_who_left_is_answered_to_nobody),
		TEST(test_who_asks_too_often_waits),
		TEST(test_bad_requests),
	};

	log_setup("serve_register_test", LOG_ERROR, LOG_TEXT);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
