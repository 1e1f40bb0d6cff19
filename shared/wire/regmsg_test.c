#include "regmsg.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define HEX_A "7b0d47d93427f8311160781c7c733fd89f88970aef490d8aa0ee19a4cb8a1b14"
#define HEX_B "7b4e909bbe7ffe44c465a220037d608ee35897d31ef972f07f74892cb0f73f13"
#define HEX_0 "0000000000000000000000000000000000000000000000000000000000000000"
#define NODE_KEY "\"NodeKey\":\"nodekey:" HEX_A "\""

static struct arena *arena;

static int begin(void **state)
{
	(void)state;
	arena = arena_new();
	return 0;
}

static int end(void **state)
{
	(void)state;
	arena_free(&arena);
	return 0;
}

/* As tailscaled sends it, first with an auth key. */
static const char first[] = "{\"Version\":138," NODE_KEY ",\"OldNodeKey\":\"nodekey:" HEX_0 "\",\"NLKey\":\"nlpub:" HEX_B "\","
			    "\"Auth\":{\"AuthKey\":\"hskey-auth-abcdefghijkl-" HEX_A "\"},\"Expiry\":\"0001-01-01T00:00:00Z\",\"Followup\":\"\","
			    "\"Hostinfo\":{\"OS\":\"linux\",\"Hostname\":\"laptop\"},\"Ephemeral\":true,\"NodeKeySignature\":null,\"Tailnet\":\"required:x\"}";

static void decodes(void **state)
{
	(void)state;
	struct register_request r;
	struct diag why = {0};
	assert_int_equal(regmsg_decode(BYTES(first), arena, &r, &why), ERR_NONE);
	assert_int_equal(r.capver, 138);
	assert_int_equal(r.node_key.raw[0], 0x7b);
	assert_true(key_is_zero(r.old_node_key.raw));
	assert_int_equal(r.lock_key.raw[1], 0x4e);
	assert_true(bytes_equal_text(r.auth_key, "hskey-auth-abcdefghijkl-" HEX_A));
	assert_true(wall_is_zero(r.expiry));
	assert_int_equal(r.followup.len, 0);
	assert_true(r.ephemeral);
	assert_true(bytes_equal_text(r.tailnet_hint, "required:x"));
	assert_true(bytes_equal_text(r.hostinfo.hostname, "laptop"));
}

static void decodes_logout(void **state)
{
	(void)state;
	struct register_request r;
	assert_int_equal(
		regmsg_decode(BYTES("{\"Version\":90," NODE_KEY ",\"Expiry\":\"1970-01-01T01:02:03+01:00\",\"Hostinfo\":null,\"Auth\":null}"), arena, &r, NULL),
		ERR_NONE);
	assert_int_equal(r.expiry.ns, 123000000000);
	assert_false(r.hostinfo.present);
	assert_int_equal(r.auth_key.len, 0);
}

static void refuses(void **state)
{
	(void)state;
	static const struct {
		const char *text, *why;
	} trials[] = {
		{"[]", "the body is not an object"},
		{"{}", "NodeKey is not a node key"},
		{"{\"NodeKey\":null}", "NodeKey is not a node key"},
		{"{\"NodeKey\":\"\"}", "NodeKey is not a node key"},
		{"{\"NodeKey\":\"mkey:" HEX_A "\"}", "NodeKey is not a node key"},
		{"{\"NodeKey\":\"nodekey:" HEX_0 "\"}", "NodeKey is zero"},
		{"{" NODE_KEY ",\"OldNodeKey\":\"\"}", "OldNodeKey is not a node key"},
		{"{" NODE_KEY ",\"NLKey\":\"\"}", "NLKey is not a tailnet lock key"},
		{"{" NODE_KEY ",\"Version\":\"138\"}", "Version is not an integer"},
		{"{" NODE_KEY ",\"Version\":-1}", "Version is not between 0 and 2147483647"},
		{"{" NODE_KEY ",\"Auth\":\"key\"}", "Auth is not an object"},
		{"{" NODE_KEY ",\"Auth\":{\"AuthKey\":1}}", "Auth.AuthKey is not a text"},
		{"{" NODE_KEY ",\"Expiry\":\"\"}", "Expiry is not a time"},
		{"{" NODE_KEY ",\"Expiry\":\"tomorrow\"}", "Expiry is not a time"},
		{"{" NODE_KEY ",\"Expiry\":123}", "Expiry is not a text"},
		{"{" NODE_KEY ",\"Ephemeral\":\"true\"}", "Ephemeral is not true, false or null"},
		{"{" NODE_KEY ",\"Hostinfo\":[]}", "Hostinfo is not an object"},
		{"{" NODE_KEY ",\"Hostinfo\":{\"Services\":[{\"Proto\":7}]}}", "Hostinfo.Services[0].Proto is not a text"},
	};
	for (size_t i = 0; i < COUNT_OF(trials); i++) {
		struct register_request r;
		struct diag why = {0};
		assert_int_equal(regmsg_decode(bytes_text(trials[i].text), arena, &r, &why), ERR_MALFORMED);
		assert_string_equal(why.text, trials[i].why);
	}
}

static void caps_texts(void **state)
{
	(void)state;
	struct register_request r;
	struct diag why;
	char *text = arena_format(arena, "{" NODE_KEY ",\"Auth\":{\"AuthKey\":\"%01024d\"}}", 0);
	assert_int_equal(regmsg_decode(bytes_text(text), arena, &r, &why), ERR_NONE);
	text = arena_format(arena, "{" NODE_KEY ",\"Auth\":{\"AuthKey\":\"%01025d\"}}", 0);
	assert_int_equal(regmsg_decode(bytes_text(text), arena, &r, &why), ERR_MALFORMED);
	assert_string_equal(why.text, "AuthKey is longer than 1024 bytes");
	uint8_t *big = arena_alloc(arena, REGMSG_MAX + 1);
	memset(big, ' ', REGMSG_MAX + 1);
	assert_int_equal(regmsg_decode(bytes_of(big, REGMSG_MAX + 1), arena, &r, &why), ERR_TOO_BIG);
}

/* A body cut anywhere is refused, and leaves nothing behind. */
static void refuses_every_cut(void **state)
{
	(void)state;
	for (size_t len = 0; len < sizeof first - 1; len++) {
		struct register_request r;
		uint8_t *copy = x_dup(first, len);
		assert_int_equal(regmsg_decode(bytes_of(copy, len), arena, &r, NULL), ERR_MALFORMED);
		free(copy);
	}
}

static void wants(struct register_response response, const char *text)
{
	struct buffer out;
	buffer_init(&out, 4096);
	assert_int_equal(regmsg_encode(&response, &out), ERR_NONE);
	assert_int_equal(buffer_add_byte(&out, 0), ERR_NONE);
	assert_string_equal((const char *)out.at, text);
	buffer_clear(&out);
}

static void encodes(void **state)
{
	(void)state;
	wants((struct register_response){.machine_authorized = true,
					 .user = 7,
					 .login_name = BYTES("ann@example.com"),
					 .display_name = BYTES("Ann"),
					 .provider = BYTES("oidc"),
					 .created = {1795168800000000000}},
	      "{\"User\":{\"ID\":7,\"DisplayName\":\"Ann\",\"Created\":\"2026-11-20T10:00:00Z\"},"
	      "\"Login\":{\"ID\":7,\"Provider\":\"oidc\",\"LoginName\":\"ann@example.com\",\"DisplayName\":\"Ann\"},"
	      "\"NodeKeyExpired\":false,\"MachineAuthorized\":true,\"AuthURL\":\"\"}");
	wants((struct register_response){.error = "invalid key: \"x\"", .user = 7, .created = WALL_ZERO}, "{\"Error\":\"invalid key: \\\"x\\\"\"}");
	wants((struct register_response){.node_key_expired = true, .created = WALL_ZERO},
	      "{\"NodeKeyExpired\":true,\"MachineAuthorized\":false,\"AuthURL\":\"\"}");
	wants((struct register_response){.auth_url = BYTES("https://c/register/1"), .created = WALL_ZERO},
	      "{\"NodeKeyExpired\":false,\"MachineAuthorized\":false,\"AuthURL\":\"https://c/register/1\"}");
}

static void encodes_within_the_cap(void **state)
{
	(void)state;
	struct buffer out;
	struct register_response response = {.user = 7, .login_name = BYTES("ann"), .created = WALL_ZERO};
	buffer_init(&out, 20);
	assert_int_equal(buffer_add_text(&out, "kept"), ERR_NONE);
	assert_int_equal(regmsg_encode(&response, &out), ERR_TOO_BIG);
	assert_true(bytes_equal_text(buffer_bytes(&out), "kept"));
	buffer_clear(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(decodes, begin, end),
		cmocka_unit_test_setup_teardown(decodes_logout, begin, end),
		cmocka_unit_test_setup_teardown(refuses, begin, end),
		cmocka_unit_test_setup_teardown(caps_texts, begin, end),
		cmocka_unit_test_setup_teardown(refuses_every_cut, begin, end),
		cmocka_unit_test(encodes),
		cmocka_unit_test(encodes_within_the_cap),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
