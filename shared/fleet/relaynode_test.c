#include "relaynode.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define LABEL_63 "123456789012345678901234567890123456789012345678901234567890123"

static void knows_hosts(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		bool is_host;
	} trials[] = {
		{"relay.example.net", true},
		{"RELAY-1.example", true},
		{"a_b", true},
		{"198.51.100.7", true},
		{LABEL_63 ".x", true},
		{"", false},
		{"a..b", false},
		{".a", false},
		{"a.", false},
		{"-a", false},
		{"a-", false},
		{"a:443", false},
		{"a/b", false},
		{"a b", false},
		{"2001:db8::1", false},
		{LABEL_63 "4", false},
		{"a\x7f", false},
		{"\xc3\xa9", false},
		{"a@b", false},
	};
	for (size_t i = 0; i < COUNT_OF(trials); i++)
		assert_int_equal(relaynode_is_host(bytes_text(trials[i].text)), trials[i].is_host);
}

static void hosts_have_an_end(void **state)
{
	(void)state;
	static const char text[] = LABEL_63 "." LABEL_63 "." LABEL_63 "." LABEL_63;
	assert_true(relaynode_is_host(bytes_of(text, RELAY_HOST_MAX)));
	assert_false(relaynode_is_host(bytes_of(text, RELAY_HOST_MAX + 1)));
	assert_false(relaynode_is_host(BYTES_NONE));
}

#define DIGEST "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void checks_each_member(void **state)
{
	(void)state;
	static const struct {
		struct relay_node node;
		const char *why; /* begins so; NULL: it is good */
	} trials[] = {
		{{.host_name = BYTES("a")}, NULL},
		{{.host_name = BYTES("a"),
		  .cert_name = BYTES("sha256-raw:" DIGEST),
		  .ipv4 = BYTES("192.0.2.1"),
		  .ipv6 = BYTES("2001:db8::1"),
		  .relay_port = 65535,
		  .stun_port = 65535},
		 NULL},
		{{.host_name = BYTES("a"), .cert_name = BYTES("b.example"), .ipv4 = BYTES("none"), .ipv6 = BYTES("none"), .stun_port = -1}, NULL},
		{{.relay_port = 443}, "a relay's host name"},
		{{.host_name = BYTES("a b")}, "a relay's host name"},
		{{.host_name = BYTES("a"), .cert_name = BYTES("sha256-raw:12")}, "a relay's certificate name"},
		{{.host_name = BYTES("a"), .cert_name = BYTES("sha256-raw:" DIGEST "00")}, "a relay's certificate name"},
		{{.host_name = BYTES("a"), .cert_name = BYTES("b/c")}, "a relay's certificate name"},
		{{.host_name = BYTES("a"), .ipv4 = BYTES("2001:db8::1")}, "a relay's IPv4"},
		{{.host_name = BYTES("a"), .ipv4 = BYTES("1.2.3")}, "a relay's IPv4"},
		{{.host_name = BYTES("a"), .ipv6 = BYTES("192.0.2.1")}, "a relay's IPv6"},
		{{.host_name = BYTES("a"), .relay_port = 65536}, "a relay's ports"},
		{{.host_name = BYTES("a"), .stun_port = 65536}, "a relay's ports"},
		{{.host_name = BYTES("a"), .stun_port = -2}, "a relay's ports"},
	};
	for (size_t i = 0; i < COUNT_OF(trials); i++) {
		struct diag why = {0};
		assert_int_equal(relaynode_check(&trials[i].node, &why), trials[i].why ? ERR_MALFORMED : ERR_NONE);
		assert_true(bytes_starts(bytes_text(why.text), trials[i].why ? trials[i].why : ""));
		assert_int_equal(!*why.text, !trials[i].why);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(knows_hosts),
		cmocka_unit_test(hosts_have_an_end),
		cmocka_unit_test(checks_each_member),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
