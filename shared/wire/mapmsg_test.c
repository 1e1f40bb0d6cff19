#include "mapmsg.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "node.h"

#define HEX_A "7b0d47d93427f8311160781c7c733fd89f88970aef490d8aa0ee19a4cb8a1b14"
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

/* A lite update of tailscaled. */
static const char lite[] = "{\"Version\":142,\"Compress\":\"zstd\",\"KeepAlive\":true," NODE_KEY ",\"DiscoKey\":\"discokey:" HEX_A "\","
			   "\"Hostinfo\":{\"OS\":\"linux\",\"NetInfo\":{\"PreferredDERP\":900}},\"Endpoints\":[\"1.2.3.4:41641\",\"[fe80::1]:41641\","
			   "\"[fe80::1%eth0]:41641\",\"[2001:db8::1]:41641\",\"1.2.3.4:41641\",\"192.168.1.2:41641\"],\"EndpointTypes\":[2,1,1,1,2,1],"
			   "\"OmitPeers\":true,\"DebugFlags\":[\"warn-x\"]}";

static void decodes_lite(void **state)
{
	(void)state;
	struct map_request r;
	struct diag why = {0};
	static const char *endpoints[] = {"1.2.3.4:41641", "[2001:db8::1]:41641", "192.168.1.2:41641"};
	assert_int_equal(mapmsg_decode(BYTES(lite), arena, &r, &why), ERR_NONE);
	assert_int_equal(r.kind, MAP_LITE);
	assert_int_equal(r.capver, 142);
	assert_true(r.zstd);
	assert_int_equal(r.node_key.raw[0], 0x7b);
	assert_int_equal(r.disco_key.raw[0], 0x7b);
	assert_int_equal(r.hostinfo.preferred_derp, 900);
	assert_int_equal(r.endpoint_count, COUNT_OF(endpoints));
	for (size_t i = 0; i < r.endpoint_count; i++) {
		char text[ENDPOINT_TEXT_MAX];
		endpoint_format(text, r.endpoints[i]);
		assert_string_equal(text, endpoints[i]);
	}
}

static void tells_kinds(void **state)
{
	(void)state;
	static const struct {
		const char *members;
		enum map_kind kind;
		bool zstd;
	} trials[] = {
		{"\"Stream\":true,\"Compress\":\"zstd\"", MAP_STREAM, true},
		{"\"Stream\":true,\"ReadOnly\":true", MAP_STREAM, false},
		{"\"Stream\":true,\"OmitPeers\":true,\"Compress\":\"\"", MAP_STREAM, false},
		{"\"OmitPeers\":true", MAP_LITE, false},
		{"\"ReadOnly\":true", MAP_READ, false},
		{"\"ReadOnly\":true,\"OmitPeers\":true", MAP_READ_SELF, false},
		{"\"Stream\":false,\"Compress\":null", MAP_FULL, false},
	};
	for (size_t i = 0; i < COUNT_OF(trials); i++) {
		struct map_request r;
		assert_int_equal(mapmsg_decode(bytes_text(arena_format(arena, "{" NODE_KEY ",%s}", trials[i].members)), arena, &r, NULL), ERR_NONE);
		assert_int_equal(r.kind, trials[i].kind);
		assert_int_equal(r.zstd, trials[i].zstd);
		assert_true(key_is_zero(r.disco_key.raw));
		assert_false(r.hostinfo.present);
	}
}

static void refuses(void **state)
{
	(void)state;
	static const struct {
		const char *text, *why;
	} trials[] = {
		{"{}", "NodeKey is not a node key"},
		{"{\"NodeKey\":\"nodekey:" HEX_0 "\"}", "NodeKey is zero"},
		{"{" NODE_KEY ",\"DiscoKey\":\"\"}", "DiscoKey is not a disco key"},
		{"{" NODE_KEY ",\"Compress\":\"gzip\"}", "Compress is neither \"zstd\" nor empty"},
		{"{" NODE_KEY ",\"Stream\":1}", "Stream is not true, false or null"},
		{"{" NODE_KEY ",\"Endpoints\":[\"1.2.3.4\"]}", "Endpoints[0] is not an address with a port"},
		{"{" NODE_KEY ",\"Endpoints\":[\"\"]}", "Endpoints[0] is not an address with a port"},
		{"{" NODE_KEY ",\"Endpoints\":[5]}", "Endpoints[0] is not a text"},
		{"{" NODE_KEY ",\"EndpointTypes\":[\"1\"]}", "EndpointTypes[0] is not an integer"},
		{"{" NODE_KEY ",\"Hostinfo\":7}", "Hostinfo is not an object"},
	};
	for (size_t i = 0; i < COUNT_OF(trials); i++) {
		struct map_request r;
		struct diag why = {0};
		assert_int_equal(mapmsg_decode(bytes_text(trials[i].text), arena, &r, &why), ERR_MALFORMED);
		assert_string_equal(why.text, trials[i].why);
	}
}

static void caps_endpoints(void **state)
{
	(void)state;
	char text[8192];
	size_t len = (size_t)sprintf(text, "{" NODE_KEY ",\"Endpoints\":[");
	for (int i = 0; i < 200; i++)
		len += (size_t)sprintf(text + len, "%s\"10.0.0.%d:1\"", i ? "," : "", i);
	sprintf(text + len, "]}");
	struct map_request r;
	assert_int_equal(mapmsg_decode(bytes_text(text), arena, &r, NULL), ERR_NONE);
	assert_int_equal(r.endpoint_count, NODE_ENDPOINTS_MAX);
	assert_int_equal(r.endpoints[0].ip.byte[3], 0);
	assert_int_equal(r.endpoints[NODE_ENDPOINTS_MAX - 1].ip.byte[3], NODE_ENDPOINTS_MAX - 1);
}

static void refuses_every_cut(void **state)
{
	(void)state;
	for (size_t len = 0; len < sizeof lite - 1; len++) {
		struct map_request r;
		uint8_t *copy = x_dup(lite, len);
		assert_int_equal(mapmsg_decode(bytes_of(copy, len), arena, &r, NULL), ERR_MALFORMED);
		free(copy);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(decodes_lite, begin, end),      cmocka_unit_test_setup_teardown(tells_kinds, begin, end),
		cmocka_unit_test_setup_teardown(refuses, begin, end),           cmocka_unit_test_setup_teardown(caps_endpoints, begin, end),
		cmocka_unit_test_setup_teardown(refuses_every_cut, begin, end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
