/* What a node asks and tells beside maps, against played reads and writes: who may speak, each answer, whatever fails. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "act_told.h"
#include "nodes.h"
#include "played.h"
#include "rate.h"
#include "serve_idtoken.h"
#include "serve_told.h"
#include "serverkeys.h"

static struct coordinator_options options;
static struct coordinator c;
static struct exchange x;
static struct machine_key machine = {{1}};
static struct tailnet tailnet;
static struct user user = {.id = 11, .tailnet = 1, .name = BYTES("ann")};
static struct node node;
static bool node_known;
static enum err find_error, act_error, keys_error;
static const char *act_sentence;
static struct identity_key keys[1];
static size_t key_count;
static unsigned writes, reads;
static char told[4096], told_action[64];

/* --- played neighbours ------------------------------------------------------------------------------------------------------------------------ */

void nodes_find(struct pg *pg, const struct node_key *key, bool with_epoch, struct arena *arena, nodes_place_fn on_found, void *context)
{
	struct nodes_place place = {0};

	(void)pg, (void)arena, (void)key;
	assert_false(with_epoch);
	reads++;
	if (node_known)
		place = (struct nodes_place){&node, &user, &tailnet};
	on_found(context, find_error, &place, 0);
	memset(&place, 0xee, sizeof place); /* it was borrowed */
}

void serverkeys_identity(struct pg *pg, serverkeys_identity_fn on_keys, void *context)
{
	(void)pg;
	reads++;
	on_keys(context, keys_error, keys, keys_error ? 0 : key_count);
}

static void acted(tx_fn on_done, void *context)
{
	struct diag why = {.text = ""};

	writes++;
	if (act_sentence)
		diag_set(&why, act_error, "%s", act_sentence);
	on_done(context, act_error, NULL, &why);
}

void act_told_attributes(struct coordinator *at, const struct node *of, const struct attribute *attributes, size_t count, tx_fn on_done, void *context)
{
	size_t len = 0;

	assert_ptr_equal(at, &c);
	assert_int_equal(of->id, 3);
	told[0] = 0;
	for (size_t i = 0; i < count; i++)
		len += (size_t)snprintf(told + len, sizeof told - len, "%.*s=%.*s;", BYTES_ARG(attributes[i].key), BYTES_ARG(attributes[i].value));
	acted(on_done, context);
}

void act_told_warning(struct coordinator *at, const struct node *of, struct bytes subsystem, struct bytes message, tx_fn on_done, void *context)
{
	assert_ptr_equal(at, &c);
	assert_int_equal(of->id, 3);
	snprintf(told, sizeof told, "%.*s: %.*s", BYTES_ARG(subsystem), BYTES_ARG(message));
	acted(on_done, context);
}

void act_told_line(struct coordinator *at, const struct node *of, uint64_t request, const char *action, struct bytes details, tx_fn on_done, void *context)
{
	snprintf(told_action, sizeof told_action, "%s", action);
	assert_ptr_equal(at, &c);
	assert_int_equal(of->id, 3);
	assert_int_equal(request, 99);
	snprintf(told, sizeof told, "%.*s", BYTES_ARG(details));
	acted(on_done, context);
}

/* --- asking ----------------------------------------------------------------------------------------------------------------------------------- */

typedef void (*handler_fn)(struct exchange *x);

static void ask_raw(handler_fn handler, struct bytes body)
{
	arena_free(&x.arena);
	x = (struct exchange){.carrier = &PLAYED,
			      .arena = arena_new(),
			      .program = &c,
			      .machine = &machine,
			      .door = DOOR_NOISE,
			      .host = BYTES("login.example:8080"),
			      .id = 99,
			      .path = BYTES("/machine/x")};
	x.body = arena_copy(x.arena, body);
	status = answers = writes = reads = 0;
	retry_after[0] = text[0] = told[0] = 0;
	handler(&x);
	assert_int_equal(answers, 1);
}

static void ask(handler_fn handler, const char *fields)
{
	char body[4096];
	int len = snprintf(body, sizeof body, "{\"NodeKey\":\"nodekey:%064x\"%s}", 7, fields);

	ask_raw(handler, bytes_of(body, (size_t)len));
}

static const struct {
	handler_fn handler;
	const char *good;
	unsigned status;
	bool standing; /* wants a node in good standing */
} requests[] = {
	{serve_idtoken, ",\"Audience\":\"sts\"", 200, true},
	{serve_attributes, ",\"Update\":{\"custom:a\":1}", 200, true},
	{serve_warning, ",\"Subsys\":\"dns\",\"Error\":\"bad\"", 204, false},
	{serve_auditlog, ",\"Action\":\"DISCONNECT_NODE\",\"Details\":\"a train\"", 200, false},
	{serve_sshnotify, ",\"EventType\":1,\"SrcNode\":12,\"RecordingAttempts\":null", 201, false},
};

#define EACH(i) for (size_t i = 0; i < COUNT_OF(requests); i++)

static int set_up(void **state)
{
	uint8_t scalar[JWT_SCALAR_LEN];

	(void)state;
	clock_set_by_hand((struct mono){1000}, wall_of_ms(1800000000000));
	options = (struct coordinator_options){.server_url = ""};
	c = (struct coordinator){.options = &options, .request_rate = rate_new(1000, 16)};
	buffer_init(&c.published.json, 65536);
	tailnet = (struct tailnet){.id = 1, .name = BYTES("corp"), .domain = BYTES("corp.example")};
	node = (struct node){.id = 3, .tailnet = 1, .user = 11, .machine_key = machine, .label = BYTES("a"), .expiry = WALL_ZERO, .approved = true};
	node_known = true;
	find_error = act_error = keys_error = ERR_NONE;
	act_sentence = NULL;
	assert_int_equal(jwt_mint(scalar), ERR_NONE);
	assert_int_equal(jwt_key_of(scalar, &keys[0].key), ERR_NONE);
	keys[0].from = wall_of_ms(1);
	keys[0].until = WALL_ZERO;
	key_count = 1;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	arena_free(&x.arena);
	buffer_clear(&c.published.json);
	rate_free(&c.request_rate);
	return 0;
}

static void test_good_requests(void **state)
{
	(void)state;
	EACH(i)
	{
		ask(requests[i].handler, requests[i].good);
		assert_int_equal(status, requests[i].status);
	}
	ask(serve_attributes, ",\"Update\":{\"custom:a\":1.5,\"custom:b\":\"x\\\"\",\"custom:c\":null,\"custom:d\":false}");
	assert_string_equal(told, "custom:a=1.5;custom:b=\"x\\\"\";custom:c=;custom:d=false;");
	ask(serve_attributes, ",\"Update\":{}");
	assert_int_equal(writes, 0);
	assert_int_equal(status, 200);
	ask(serve_warning, ",\"Subsys\":\"dns\",\"Error\":\"\"");
	assert_string_equal(told, "dns: ");
	ask(serve_auditlog, ",\"Action\":\"DISCONNECT_NODE\",\"Details\":\"a train\"");
	assert_string_equal(told, "a train");
	assert_string_equal(told_action, "node.disconnect");
	ask(serve_sshnotify,
	    ",\"EventType\":3,\"ConnectionID\":\"ssh-conn-1\",\"SrcNode\":12,\"SSHUser\":\"r\",\"LocalUser\":\"root\",\"RecordingAttempts\":["
	    "{\"Recorder\":\"100.64.0.9:80\",\"FailureMessage\":\"first\"},{\"Recorder\":\"[fd7a::9]:80\",\"FailureMessage\":\"no\\nanswer\"}]");
	assert_string_equal(told, "session not recorded: from node 12 as root: [fd7a::9]:80: no\nanswer");
	assert_string_equal(told_action, "node.ssh-recording");
	for (int event = -1; event < 5; event++) {
		ask(serve_sshnotify,
		    event < 0 ? ",\"EventType\":-1"
			      : (const char *const[]){"", ",\"EventType\":1", ",\"EventType\":2", ",\"EventType\":3", ",\"EventType\":4"}[event]);
		assert_int_equal(status, event > 0 && event < 4 ? 201 : 400);
	}
}

static void test_wrong_bodies(void **state)
{
	static const char *const bodies[] = {"",
					     "{",
					     "[]",
					     "7",
					     "null",
					     "{}",
					     "{\"NodeKey\":7}",
					     "{\"NodeKey\":\"nodekey:12\"}",
					     "{\"NodeKey\":\"nodekey:0000000000000000000000000000000000000000000000000000000000000000\"}"};

	(void)state;
	EACH(i)
	for (size_t b = 0; b < COUNT_OF(bodies); b++) {
		ask_raw(requests[i].handler, bytes_text(bodies[b]));
		assert_int_equal(status, 400);
		assert_int_equal(reads + writes, 0);
	}
}

static void test_only_its_own_machine_speaks_for_a_node(void **state)
{
	(void)state;
	EACH(i)
	{
		node.machine_key.raw[0] = 2;
		ask(requests[i].handler, requests[i].good);
		assert_int_equal(status, 404);
		assert_string_equal(text, "no such node on this machine\n");
		node.machine_key.raw[0] = 1;
		node_known = false;
		ask(requests[i].handler, requests[i].good);
		assert_int_equal(status, 404);
		assert_string_equal(text, "no such node on this machine\n");
		assert_int_equal(writes, 0);
		node_known = true;
	}
}

static void test_standing(void **state)
{
	static const char *const words[] = {"approval", "expired", "suspended"};

	(void)state;
	for (int w = 0; w < 3; w++) {
		node.approved = w != 0;
		node.expiry = w == 1 ? wall_of_ms(5) : WALL_ZERO;
		tailnet.suspended = w == 2;
		EACH(i)
		{
			ask(requests[i].handler, requests[i].good);
			assert_int_equal(status, requests[i].standing ? 403 : requests[i].status);
			if (requests[i].standing)
				assert_non_null(strstr(text, words[w]));
		}
	}
}

static void test_stores_that_fail(void **state)
{
	(void)state;
	EACH(i)
	{
		find_error = ERR_UNAVAILABLE;
		ask(requests[i].handler, requests[i].good);
		assert_int_equal(status, 503);
		assert_string_equal(retry_after, "5");
		find_error = ERR_NONE;
		if (requests[i].handler == serve_idtoken)
			keys_error = ERR_TIMEOUT;
		act_error = ERR_TIMEOUT;
		ask(requests[i].handler, requests[i].good);
		assert_int_equal(status, 503);
		assert_string_equal(retry_after, "5");
		act_error = keys_error = ERR_NONE;
	}
	act_error = ERR_EXHAUSTED;
	act_sentence = "a node has at most 64 attributes";
	ask(serve_attributes, requests[1].good);
	assert_true(status >= 400 && status < 500);
	assert_string_equal(text, "a node has at most 64 attributes\n");
}

static void test_too_many_of_one_machine(void **state)
{
	(void)state;
	rate_free(&c.request_rate);
	c.request_rate = rate_new(2, 16);
	ask(serve_idtoken, requests[0].good);
	ask(serve_warning, requests[2].good);
	EACH(i)
	{
		ask(requests[i].handler, requests[i].good);
		assert_int_equal(status, 429);
		assert_true(atoi(retry_after) > 0);
		assert_int_equal(reads, 0);
	}
}

static void test_token_wants_key_and_url(void **state)
{
	(void)state;
	ask(serve_idtoken, ",\"Audience\":\"sts\"");
	assert_int_equal(status, 200);
	assert_non_null(strstr(text, "{\"id_token\":\"eyJ"));
	keys[0].from = wall_of_ms(1800000000001);
	ask(serve_idtoken, ",\"Audience\":\"sts\"");
	assert_int_equal(status, 503);
	key_count = 0;
	ask(serve_idtoken, ",\"Audience\":\"sts\"");
	assert_int_equal(status, 503);
	ask(serve_idtoken, "");
	assert_int_equal(status, 400);
	assert_int_equal(reads, 0);
}

/* Asked for once a minute, and kept while nothing newer is to be had. */
static void test_published_keys_outlive_the_database(void **state)
{
	(void)state;
	keys_error = ERR_UNAVAILABLE;
	ask_raw(serve_jwks, BYTES_NONE);
	assert_int_equal(status, 503);
	keys_error = ERR_NONE;
	ask_raw(serve_jwks, BYTES_NONE);
	assert_int_equal(status, 200);
	assert_non_null(strstr(text, keys[0].key.id));
	ask_raw(serve_jwks, BYTES_NONE);
	assert_int_equal(reads, 0);
	assert_int_equal(status, 200);
	clock_step_by_hand(61000);
	keys_error = ERR_UNAVAILABLE;
	ask_raw(serve_jwks, BYTES_NONE);
	assert_int_equal(reads, 1);
	assert_int_equal(status, 200);
	assert_non_null(strstr(text, keys[0].key.id));
}

static void test_issuer(void **state)
{
	(void)state;
	ask_raw(serve_configuration, BYTES_NONE);
	assert_non_null(strstr(text, "\"issuer\":\"http://login.example:8080\""));
	options.server_url = (char[]){"https://login.example.com//"};
	ask_raw(serve_configuration, BYTES_NONE);
	assert_non_null(strstr(text, "\"jwks_uri\":\"https://login.example.com/.well-known/jwks.json\""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_good_requests, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_wrong_bodies, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_only_its_own_machine_speaks_for_a_node, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_standing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_stores_that_fail, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_too_many_of_one_machine, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_token_wants_key_and_url, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_published_keys_outlive_the_database, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_issuer, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
