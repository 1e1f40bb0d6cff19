#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "buffer.h"
#include "document.h"

#define NODE(members) "{\"derpMap\":{\"Regions\":{\"7\":{\"Nodes\":[{" members "}]}}}}"
#define REGION(members) "{\"derpMap\":{\"Regions\":{\"7\":{" members "}}}}"
#define A "\"Name\":\"a\",\"HostName\":\"a\""

struct refusal {
	const char *text, *sentence;
	unsigned column;
};

static const struct refusal refusals[] = {
	{"{\"derpMap\":{\"x\":1}}", "unknown field: \"x\"", 13},
	{"{\"derpMap\":{\"OmitDefaultRegions\":1}}", "derpMap: OmitDefaultRegions: true or false is wanted, not a number", 34},
	{"{\"derpMap\":{\"OmitDefaultRegions\":true}}", "derpMap: without the default regions there is none that a client could be at home in", 12},
	{"{\"derpMap\":{\"OmitDefaultRegions\":true,\"Regions\":{\"1\":null}}}",
	 "derpMap: without the default regions there is none that a client could be at home in", 12},
	{"{\"derpMap\":{\"OmitDefaultRegions\":true,\"Regions\":{\"1\":{\"Avoid\":true,\"Nodes\":[{" A "}]}}}}",
	 "derpMap: without the default regions there is none that a client could be at home in", 12},
	{"{\"derpMap\":{\"Regions\":[]}}", "derpMap: Regions: an object is wanted", 23},
	{"{\"derpMap\":{\"Regions\":{\"0\":null}}}", "derpMap: region \"0\": regions are named by numbers from 1 to 65535", 24},
	{"{\"derpMap\":{\"Regions\":{\"65536\":null}}}", "derpMap: region \"65536\": regions are named by numbers from 1 to 65535", 24},
	{"{\"derpMap\":{\"Regions\":{\"1\":null,\"01\":null}}}", "derpMap: region \"01\": regions are named by numbers from 1 to 65535", 33},
	{"{\"derpMap\":{\"Regions\":{\"7\":1}}}", "an object is wanted here", 28},
	{REGION(""), "derpMap: region \"7\": Nodes: a list of 1 to 32 nodes is wanted", 28},
	{REGION("\"Nodes\":[]"), "derpMap: region \"7\": Nodes: a list of 1 to 32 nodes is wanted", 37},
	{REGION("\"RegionID\":8,\"Nodes\":[{" A "}]"), "derpMap: region \"7\": RegionID: its own number is wanted", 40},
	{REGION("\"RegionCode\":1"), "derpMap: region \"7\": RegionCode: a string of at most 255 bytes is wanted", 42},
	{REGION("\"RegionName\":\"a\\n\""), "derpMap: region \"7\": RegionName: a string without control characters is wanted", 42},
	{REGION("\"Latitude\":90.5"), "derpMap: region \"7\": Latitude: a number from -90 to 90 is wanted", 40},
	{REGION("\"Longitude\":1e999"), "derpMap: region \"7\": Longitude: a number from -180 to 180 is wanted", 41},
	{REGION("\"Latitude\":\"1\""), "derpMap: region \"7\": Latitude: a number from -90 to 90 is wanted", 40},
	{REGION("\"Avoid\":0"), "derpMap: region \"7\": Avoid: true or false is wanted", 37},
	{NODE("\"HostName\":\"a\""), "derpMap: region \"7\": Name: a name of the node is wanted", 38},
	{NODE("\"Name\":\"a\""), "derpMap: region \"7\": HostName: a host name or address of the relay is wanted", 38},
	{NODE("\"Name\":\"a\",\"HostName\":\"a:443\""), "derpMap: region \"7\": HostName: a host name or address of the relay is wanted", 61},
	{NODE("\"Name\":\"a\",\"HostName\":\"a..b\""), "derpMap: region \"7\": HostName: a host name or address of the relay is wanted", 61},
	{NODE(A ",\"CertName\":\"sha256-raw:12\""), "derpMap: region \"7\": CertName: a host name, or sha256-raw: and 64 hexadecimal digits is wanted", 76},
	{NODE(A ",\"RegionID\":8"), "derpMap: region \"7\": RegionID: the number of its region is wanted", 76},
	{NODE(A ",\"IPv4\":\"::1\""), "derpMap: region \"7\": IPv4: an IPv4 address, \"none\" or \"\" is wanted", 72},
	{NODE(A ",\"IPv6\":\"127.0.0.1\""), "derpMap: region \"7\": IPv6: an IPv6 address, \"none\" or \"\" is wanted", 72},
	{NODE(A ",\"STUNPort\":-2"), "derpMap: region \"7\": STUNPort: a port, or -1 for none is wanted", 76},
	{NODE(A ",\"DERPPort\":65536"), "derpMap: region \"7\": DERPPort: a port is wanted", 76},
	{NODE(A ",\"DERPPort\":1.5"), "derpMap: region \"7\": DERPPort: a port is wanted", 76},
	{NODE(A ",\"InsecureForTests\":1"), "derpMap: region \"7\": InsecureForTests: true or false is wanted", 84},
	{NODE(A "},{" A), "derpMap: two nodes have the name \"a\"", 74},
};

static void what_a_client_would_misread_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
		struct arena *arena = arena_new();
		struct document *doc;
		struct diag why = {0};
		assert_int_equal(document_read(arena, bytes_text(refusals[i].text), NULL, &doc, &why), ERR_MALFORMED);
		if (strcmp(why.text, refusals[i].sentence) != 0 || why.line != 1 || why.column != refusals[i].column)
			fail_msg("%s\n%u:%u %s", refusals[i].text, why.line, why.column, why.text);
		arena_free(&arena);
	}
}

static void what_is_left_out_has_its_default(void **state)
{
	struct arena *arena = arena_new();
	struct document *doc;
	struct diag why = {0};
	(void)state;
	assert_int_equal(document_read(arena, BYTES("{\"derpMap\":{\"regions\":{\"7\":{\"nodes\":[{" A "}]},\"900\":null}}}"), NULL, &doc, &why), ERR_NONE);
	const struct derp_section *derp = doc->derp;
	assert_int_equal(derp->region_count, 2);
	assert_false(derp->omit_default);
	assert_int_equal(derp->regions[0].id, 7);
	assert_int_equal(derp->regions[0].node_count, 1);
	assert_int_equal(derp->regions[0].nodes[0].relay_port, 0);
	assert_true(derp->regions[1].removed);
	assert_int_equal(document_read(arena, BYTES("{\"derpMap\":null}"), NULL, &doc, &why), ERR_NONE);
	assert_null(doc->derp);
	arena_free(&arena);
}

static void there_are_caps(void **state)
{
	struct arena *arena = arena_new();
	struct buffer text;
	struct document *doc;
	struct diag why = {0};
	(void)state;
	buffer_init(&text, 1 << 20);
	assert_int_equal(buffer_add_text(&text, "{\"derpMap\":{\"Regions\":{\"1\":null"), ERR_NONE);
	for (int i = 2; i <= DERP_REGIONS_MAX + 1; i++)
		assert_int_equal(buffer_add_text(&text, arena_format(arena, ",\"%d\":null", i)), ERR_NONE);
	assert_int_equal(buffer_add_text(&text, "}}}"), ERR_NONE);
	assert_int_equal(document_read(arena, buffer_bytes(&text), NULL, &doc, &why), ERR_MALFORMED);
	assert_string_equal(why.text, "derpMap: more than 256 regions");
	buffer_clear(&text);
	arena_free(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_a_client_would_misread_is_refused),
		cmocka_unit_test(what_is_left_out_has_its_default),
		cmocka_unit_test(there_are_caps),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
