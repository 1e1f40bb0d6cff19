/* Every URL of a relay at both doors, its neighbours played. */
#include "routes_relay.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "bootstrap.h"
#include "debugpages.h"
#include "handshake.h"
#include "metrics_relay.h"
#include "shard.h"
#include "webroot.h"

/* ---- the far end ---- */

static unsigned status, answers;
static char text[4096], headers[4096];
static const char *challenge;

static struct bytes get_header(const struct exchange *x, const char *name)
{
	(void)x;
	return challenge && strcmp(name, "x-tailscale-challenge") == 0 ? bytes_text(challenge) : BYTES_NONE;
}

static void add_header(struct exchange *x, const char *name, struct bytes value)
{
	size_t len = strlen(headers);
	(void)x;
	snprintf(headers + len, sizeof headers - len, "%s: %.*s\n", name, BYTES_ARG(value));
}

static void take_reply(struct exchange *x, unsigned code, const char *type, struct bytes body)
{
	(void)x, (void)type;
	status = code;
	snprintf(text, sizeof text, "%.*s", BYTES_ARG(body));
	answers++;
}

static const struct carrier far = {.header = get_header, .add_header = add_header, .reply = take_reply};

/* ---- neighbours ---- */

static bool may_look;

void handshake_begin(struct exchange *x)
{
	exchange_reply_text(x, 426, "handshake");
}

void debugpages_guard(struct exchange *x)
{
	if (may_look)
		dispatch_pass(x);
	else
		exchange_reply_text(x, 403, "guarded");
}

bool debugpages_may_look(const struct exchange *x)
{
	(void)x;
	return may_look;
}

void debugpages_index(struct exchange *x)
{
	exchange_reply_text(x, 200, "index");
}

void debugpages_vars(struct exchange *x)
{
	exchange_reply_text(x, 200, "vars");
}

void debugpages_varz(struct exchange *x)
{
	exchange_reply_text(x, 200, "varz");
}

void debugpages_check(struct exchange *x)
{
	exchange_reply_text(x, 200, "check");
}

void bootstrap_reply(struct bootstrap *b, struct exchange *x)
{
	(void)b;
	exchange_reply_text(x, 200, "names");
}

enum err webroot_read(const char *folder, struct bytes token, struct buffer *answer)
{
	assert_string_equal(folder, "/var/www");
	return bytes_equal_text(token, "known") ? buffer_add(answer, BYTES("known.thumb")) : ERR_NOT_FOUND;
}

static unsigned port;

unsigned relay_told_port(const struct relay *r)
{
	(void)r;
	return port;
}

/* ---- a request ---- */

static struct relay_options options;
static struct relay relay = {.options = &options};
static struct shard shard = {.relay = &relay};

static unsigned ask(enum door door, enum method method, const char *path, const char *query)
{
	struct arena *arena = arena_new();
	struct exchange x = {
		.carrier = &far, .arena = arena, .program = &shard, .door = door, .method = method, .path = bytes_text(path), .query = bytes_text(query)};
	unsigned before = answers;
	*headers = *text = '\0';
	dispatch(relay_routes, &x);
	assert_int_equal(answers, before + 1);
	arena_free(&arena);
	return status;
}

static int begin(void **state)
{
	(void)state;
	options = (struct relay_options){.relay_hostname = (char *)"relay.example", .acme_webroot = (char *)""};
	port = 443;
	may_look = false;
	challenge = NULL;
	return 0;
}

static void at_the_relay(void **state)
{
	static const struct {
		enum method method;
		const char *path;
		unsigned status;
		const char *text, *headers;
	} cases[] = {
		{METHOD_GET, "/derp", 426, "handshake", ""},
		{METHOD_POST, "/derp", 426, "handshake", ""},
		{METHOD_OTHER, "/derp", 426, "handshake", ""},
		{METHOD_GET, "/derp/probe", 200, "", "Access-Control-Allow-Origin: *\n"},
		{METHOD_HEAD, "/derp/latency-check", 200, "", "Access-Control-Allow-Origin: *\n"},
		{METHOD_POST, "/derp/probe", 405, "bogus probe method\n", ""},
		{METHOD_OTHER, "/derp/latency-check", 405, "bogus probe method\n", ""},
		{METHOD_GET, "/generate_204", 204, "", "Cache-Control: no-cache"},
		{METHOD_POST, "/generate_204", 204, "", "Cache-Control: no-cache"},
		{METHOD_GET, "/robots.txt", 200, "User-agent: *\nDisallow: /\n", "X-Content-Type-Options: nosniff"},
		{METHOD_GET, "/bootstrap-dns", 200, "names", "Strict-Transport-Security: "},
		{METHOD_GET, "/", 200, "relay", "Content-Security-Policy: "},
		{METHOD_PUT, "/what/ever", 200, "relay", "X-Frame-Options: DENY"},
		{METHOD_GET, "/derp/probe/more", 200, "relay", ""},
		{METHOD_GET, "/.well-known/acme-challenge/known", 200, "relay", ""},
		{METHOD_GET, "/debug/varz", 403, "guarded", ""},
		{METHOD_GET, "/debug/", 403, "guarded", ""},
	};
	(void)state;
	options.acme_webroot = (char *)"/var/www";
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		if (ask(DOOR_RELAY, cases[i].method, cases[i].path, "") != cases[i].status || !strstr(text, cases[i].text) ||
		    !strstr(headers, cases[i].headers))
			fail_msg("%s: %u, %s, %s", cases[i].path, status, text, headers);
	}
	may_look = true;
	static const char *const pages[][2] = {
		{"/debug/vars", "vars"}, {"/debug/varz", "varz"}, {"/debug/check", "check"}, {"/debug/", "index"}, {"/debug/else", "index"}};
	for (size_t i = 0; i < COUNT_OF(pages); i++) {
		assert_int_equal(ask(DOOR_RELAY, METHOD_GET, pages[i][0], ""), 200);
		assert_string_equal(text, pages[i][1]);
	}
}

static void challenges_are_answered(void **state)
{
	static char long_one[66];
	static const struct {
		const char *challenge, *response;
	} cases[] = {
		{NULL, NULL},
		{"", NULL},
		{"ts_192.0.2.1", "X-Tailscale-Response: response ts_192.0.2.1\n"},
		{"aZ09.-_:", "X-Tailscale-Response: response aZ09.-_:\n"},
		{"a b", NULL},
		{"a\tb", NULL},
		{"a/b", NULL},
		{"a<b", NULL},
		{"\xc3\xa4", NULL},
		{long_one, NULL},
		{long_one + 1, "X-Tailscale-Response: response xxxx"},
	};
	static const enum door doors[] = {DOOR_RELAY, DOOR_CLIENTS};
	(void)state;
	memset(long_one, 'x', 65);
	for (size_t i = 0; i < 2 * COUNT_OF(cases); i++) {
		challenge = cases[i / 2].challenge;
		assert_int_equal(ask(doors[i % 2], METHOD_GET, "/generate_204", ""), 204);
		if (cases[i / 2].response)
			assert_non_null(strstr(headers, cases[i / 2].response));
		else
			assert_null(strcasestr(headers, "x-tailscale-response"));
	}
}

/* The plain port sends everybody else to where the relay is. */
static void at_the_plain_port(void **state)
{
	static const struct {
		const char *host;
		unsigned port;
		enum method method;
		const char *path, *query;
		bool look;
		unsigned status;
		const char *location;
	} cases[] = {
		{"relay.example", 443, METHOD_GET, "/", "", false, 302, "Location: https://relay.example/\n"},
		{"relay.example", 443, METHOD_HEAD, "/derp", "", false, 302, "Location: https://relay.example/derp\n"},
		{"relay.example", 8443, METHOD_GET, "/a/b", "x=1&y", false, 302, "Location: https://relay.example:8443/a/b?x=1&y\n"},
		{"2001:db8::1", 8443, METHOD_GET, "/", "", false, 302, "Location: https://[2001:db8::1]:8443/\n"},
		{"192.0.2.1", 443, METHOD_GET, "/robots.txt", "", false, 302, "Location: https://192.0.2.1/robots.txt\n"},
		{"relay.example", 443, METHOD_GET, "/", "", true, 302, "Location: https://relay.example/debug/\n"},
		{"relay.example", 443, METHOD_POST, "/", "", false, 400, ""},
		{"relay.example", 443, METHOD_OTHER, "/derp", "", false, 400, ""},
		{"relay.example", 443, METHOD_GET, "/debug/varz", "", false, 403, ""},
		{"relay.example", 443, METHOD_GET, "/debug/varz", "", true, 200, ""},
		{"relay.example", 443, METHOD_GET, "/.well-known/acme-challenge/known", "", false, 302,
		 "Location: https://relay.example/.well-known/acme-challenge/known\n"},
	};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		options.relay_hostname = (char *)cases[i].host;
		port = cases[i].port;
		may_look = cases[i].look;
		if (ask(DOOR_CLIENTS, cases[i].method, cases[i].path, cases[i].query) != cases[i].status || !strstr(headers, cases[i].location))
			fail_msg("%s: %u, %s", cases[i].path, status, headers);
	}
	options.acme_webroot = (char *)"/var/www";
	assert_int_equal(ask(DOOR_CLIENTS, METHOD_GET, "/.well-known/acme-challenge/known", ""), 200);
	assert_string_equal(text, "known.thumb");
	assert_int_equal(ask(DOOR_CLIENTS, METHOD_GET, "/.well-known/acme-challenge/other", ""), 404);
	assert_int_equal(ask(DOOR_CLIENTS, METHOD_GET, "/.well-known/acme-challenge/", ""), 302);
}

#define IN_ORDER(test) cmocka_unit_test_setup(test, begin)

int main(void)
{
	const struct CMUnitTest tests[] = {IN_ORDER(at_the_relay), IN_ORDER(challenges_are_answered), IN_ORDER(at_the_plain_port)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
