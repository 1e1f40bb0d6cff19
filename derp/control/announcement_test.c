#include "announcement.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void an_announcement_is_written(void **state)
{
	static const struct announcement plain = {.name = "", .host_name = "h", .ipv4 = "", .ipv6 = "", .cert_name = "", .instance = "0011223344556677"};
	static const struct announcement full = {.name = "900a",
						 .host_name = "relay.example.net",
						 .ipv4 = "198.51.100.1",
						 .ipv6 = "none",
						 .cert_name = "sha256-raw:00",
						 .relay_port = 8443,
						 .stun_port = -1,
						 .insecure_for_tests = true,
						 .can_port80 = true,
						 .instance = "0011223344556677",
						 .homes = 17,
						 .rechecks_from = UINT64_C(9223372036854775807),
						 .draining = true};
	const struct mono now = {5000};
	struct buffer out;
	(void)state;
	buffer_init(&out, 4096);
	assert_int_equal(announcement_encode(&plain, now, &out), ERR_NONE);
	assert_true(bytes_equal_text(buffer_bytes(&out), "{\"HostName\":\"h\",\"IPv4\":\"\",\"IPv6\":\"\",\"DERPPort\":0,\"STUNPort\":0,\"CertName\":\"\","
							 "\"InsecureForTests\":false,\"CanPort80\":false,\"Version\":\"" FLEETSCALE_VERSION
							 "\",\"Instance\":\"0011223344556677\",\"Homes\":0,\"RechecksFrom\":0}"));
	buffer_reset(&out);
	assert_int_equal(announcement_encode(&full, now, &out), ERR_NONE);
	assert_true(
		bytes_equal_text(buffer_bytes(&out),
				 "{\"Name\":\"900a\",\"HostName\":\"relay.example.net\",\"IPv4\":\"198.51.100.1\",\"IPv6\":\"none\",\"DERPPort\":8443,"
				 "\"STUNPort\":-1,\"CertName\":\"sha256-raw:00\",\"InsecureForTests\":true,\"CanPort80\":true,\"Version\":\"" FLEETSCALE_VERSION
				 "\",\"Instance\":\"0011223344556677\",\"Homes\":17,\"RechecksFrom\":9223372036854775807,\"Draining\":true}"));
	buffer_clear(&out);
	buffer_init(&out, 40);
	assert_int_equal(announcement_encode(&full, now, &out), ERR_TOO_BIG);
	buffer_clear(&out);
}

static void says_of_probes(struct announcement a, const char *want)
{
	struct buffer out;
	buffer_init(&out, 4096);
	a.name = a.host_name = a.ipv4 = a.ipv6 = a.cert_name = a.instance = "";
	assert_int_equal(announcement_encode(&a, (struct mono){5000}, &out), ERR_NONE);
	struct bytes said = buffer_bytes(&out);
	const char *behind = memmem(said.at, said.len, "\"RechecksFrom\":0", 16);
	assert_non_null(behind);
	assert_true(bytes_equal_text(bytes_skip(said, (size_t)(behind + 16 - (const char *)said.at)), want));
	buffer_clear(&out);
}

static void probes_are_written(void **state)
{
	const struct figure figures[] = {{.to = 7, .at = {4000}, .relay = FIGURE_LOST, .connect_us = 1500, .trip_us = -1, .stun_us = -1, .mesh_us = -1},
					 {.to = 8, .at = {5000}, .relay = FIGURE_OK, .connect_us = -1, .trip_us = 250, .stun_us = -1, .mesh_us = -1}};
	(void)state;
	/* One that does not probe. */
	says_of_probes((struct announcement){.wants_peers = true, .peers_from = 3, .figures = figures, .figure_count = 2}, "}");
	says_of_probes((struct announcement){.probe_key = "nodekey:00"}, ",\"ProbeKey\":\"nodekey:00\"}");
	says_of_probes((struct announcement){.probe_key = "nodekey:00", .wants_peers = true, .peers_from = 3}, ",\"ProbeKey\":\"nodekey:00\",\"PeersFrom\":3}");
	says_of_probes((struct announcement){.probe_key = "nodekey:00", .figures = figures, .figure_count = 2},
		       ",\"ProbeKey\":\"nodekey:00\",\"Probes\":[{\"To\":7,\"AgeMs\":1000,\"Relay\":\"lost\",\"ConnectMs\":1.5},"
		       "{\"To\":8,\"AgeMs\":0,\"Relay\":\"ok\",\"TripMs\":0.25}]}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(an_announcement_is_written), cmocka_unit_test(probes_are_written)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
