#include "derpmap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static void wants(const struct relay_region *regions, size_t count, const char *text)
{
	struct buffer out;
	buffer_init(&out, 65536);
	assert_int_equal(derpmap_encode(regions, count, &out), ERR_NONE);
	assert_int_equal(buffer_add_byte(&out, 0), ERR_NONE);
	assert_string_equal((const char *)out.at, text);
	buffer_clear(&out);
}

static void encodes(void **state)
{
	(void)state;
	struct relay_node plain = {.name = BYTES("900a"), .host_name = BYTES("derp.example.net")};
	struct relay_node full = {.name = BYTES("901a"),
				  .host_name = BYTES("127.0.0.1"),
				  .cert_name = BYTES("sha256-raw:ab"),
				  .ipv4 = BYTES("127.0.0.1"),
				  .ipv6 = BYTES("none"),
				  .stun_port = -1,
				  .relay_port = 8443,
				  .stun_only = true,
				  .insecure_for_tests = true,
				  .can_port80 = true};
	struct relay_region regions[] = {
		{.id = 900, .code = BYTES("fl"), .name = BYTES("fleet"), .nodes = &plain, .node_count = 1},
		{.id = 902, .code = BYTES("no"), .name = BYTES("nobody")},
		{.id = 65535,
		 .code = BYTES("q\""),
		 .name = BYTES("Z\xc3\xbcrich"),
		 .latitude = 47.37,
		 .longitude = 8.54,
		 .no_measure_no_home = true,
		 .score = 1000,
		 .nodes = &full,
		 .node_count = 1},
	};
	wants(NULL, 0, "{\"HomeParams\":{\"RegionScore\":{}},\"Regions\":{},\"omitDefaultRegions\":true}");
	wants(regions, 2,
	      "{\"HomeParams\":{\"RegionScore\":{}},\"Regions\":{\"900\":{\"RegionID\":900,\"RegionCode\":\"fl\",\"RegionName\":\"fleet\",\"Nodes\":[{\"Name\":"
	      "\"900a\","
	      "\"RegionID\":900,"
	      "\"HostName\":\"derp.example.net\"}]}},\"omitDefaultRegions\":true}");
	wants(regions + 1, 2,
	      "{\"HomeParams\":{\"RegionScore\":{\"65535\":1000}},\"Regions\":{\"65535\":{\"RegionID\":65535,\"RegionCode\":\"q\\\"\",\"RegionName\":"
	      "\"Z\xc3\xbcrich\",\"Latitude\":47.37,"
	      "\"Longitude\":8.54,"
	      "\"Avoid\":true,\"NoMeasureNoHome\":true,\"Nodes\":[{\"Name\":\"901a\",\"RegionID\":65535,\"HostName\":\"127.0.0.1\","
	      "\"CertName\":\"sha256-raw:ab\","
	      "\"IPv4\":\"127.0.0.1\",\"IPv6\":\"none\",\"STUNPort\":-1,\"STUNOnly\":true,\"DERPPort\":8443,\"InsecureForTests\":true,"
	      "\"CanPort80\":true}]}},"
	      "\"omitDefaultRegions\":true}");
}

/* Clients compare the digest as text. */
static void digests_are_in_lower_case(void **state)
{
	static const char *const trials[][2] = {
		{"sha256-raw:ABcd0123456789ABcd0123456789ABcd0123456789ABcd0123456789ABcd0123",
		 "sha256-raw:abcd0123456789abcd0123456789abcd0123456789abcd0123456789abcd0123"},
		{"Relay.Example.net", "Relay.Example.net"},
	};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(trials); i++) {
		struct relay_node node = {.name = BYTES("a"), .host_name = BYTES("h"), .cert_name = bytes_text(trials[i][0])};
		struct relay_region region = {.id = 1, .nodes = &node, .node_count = 1};
		char wanted[300];
		snprintf(wanted, sizeof wanted,
			 "{\"HomeParams\":{\"RegionScore\":{}},\"Regions\":{\"1\":{\"RegionID\":1,\"RegionCode\":\"\",\"RegionName\":\"\",\"Nodes\":[{"
			 "\"Name\":\"a\",\"RegionID\":1,\"HostName\":\"h\",\"CertName\":\"%s\"}]}},\"omitDefaultRegions\":true}",
			 trials[i][1]);
		wants(&region, 1, wanted);
	}
}

static void leaves_the_buffer_on_error(void **state)
{
	(void)state;
	struct relay_node plain = {.name = BYTES("900a"), .host_name = BYTES("derp.example.net")};
	struct relay_region region = {.id = 900, .nodes = &plain, .node_count = 1};
	struct buffer out;
	buffer_init(&out, 50);
	assert_int_equal(derpmap_encode(&region, 1, &out), ERR_TOO_BIG);
	assert_int_equal(out.len, 0);
	buffer_clear(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(encodes), cmocka_unit_test(digests_are_in_lower_case),
					   cmocka_unit_test(leaves_the_buffer_on_error)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
