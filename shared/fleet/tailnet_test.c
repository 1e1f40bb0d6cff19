#include "tailnet.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void checks_names(void **state)
{
	(void)state;
	struct diag why;
	static const char *good[] = {"default", "a", "t-1", "9"};
	static const char *bad[] = {"", "-a", "a-", "A", "a.b", "a b", "\xc3\xa4", "1234567890123456789012345678901234567890123456789012345678901234"};
	for (size_t i = 0; i < COUNT_OF(good); i++)
		assert_int_equal(tailnet_check_name(bytes_text(good[i]), &why), ERR_NONE);
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		why.text[0] = 0;
		assert_int_equal(tailnet_check_name(bytes_text(bad[i]), &why), ERR_MALFORMED);
		assert_true(strlen(why.text) > 10);
	}
}

static void checks_ranges(void **state)
{
	(void)state;
	static const struct {
		const char *range4, *range6;
		enum err e;
	} trials[] = {
		{"100.64.0.0/10", "fd7a:115c:a1e0::/48", ERR_NONE},          {"100.80.0.0/16", "fd7a:115c:a1e0:1::/64", ERR_NONE},
		{"100.64.0.0/30", "fd7a:115c:a1e0::/126", ERR_NONE},         {"100.64.0.0/9", "fd7a:115c:a1e0::/48", ERR_MALFORMED},
		{"10.0.0.0/8", "fd7a:115c:a1e0::/48", ERR_MALFORMED},        {"100.64.0.1/10", "fd7a:115c:a1e0::/48", ERR_MALFORMED},
		{"100.64.0.0/31", "fd7a:115c:a1e0::/48", ERR_MALFORMED},     {"100.115.92.0/24", "fd7a:115c:a1e0::/48", ERR_MALFORMED},
		{"100.64.0.0/10", "fd7a:115c:a1e0::/47", ERR_MALFORMED},     {"100.64.0.0/10", "fd00::/48", ERR_MALFORMED},
		{"100.64.0.0/10", "fd7a:115c:a1e0:b1a::/64", ERR_MALFORMED}, {"fd7a:115c:a1e0::/48", "100.64.0.0/10", ERR_MALFORMED},
	};
	for (size_t i = 0; i < COUNT_OF(trials); i++) {
		struct prefix range4, range6;
		struct diag why;
		assert_int_equal(prefix_parse(bytes_text(trials[i].range4), &range4), ERR_NONE);
		assert_int_equal(prefix_parse(bytes_text(trials[i].range6), &range6), ERR_NONE);
		assert_int_equal(tailnet_check_ranges(range4, range6, &why), trials[i].e);
	}
	assert_int_equal(tailnet_check_ranges((struct prefix){0}, (struct prefix){0}, NULL), ERR_MALFORMED);
}

static void checks_admission(void **state)
{
	static const struct {
		struct tailnet tailnet;
		const char *place; /* NULL: fine */
	} trials[] = {
		{{0}, NULL},
		{{.key_lifetime_ms = 60000, .node_limit = 1, .user_limit = TAILNET_MEMBERS_MAX}, NULL},
		{{.key_lifetime_ms = INT64_C(3650) * 86400000, .login_host = {(const uint8_t *)"login.example", 13}}, NULL},
		{{.key_lifetime_ms = 59999}, "keyLifetimeSeconds: "},
		{{.key_lifetime_ms = -1}, "keyLifetimeSeconds: "},
		{{.key_lifetime_ms = INT64_C(3650) * 86400000 + 1}, "keyLifetimeSeconds: "},
		{{.node_limit = TAILNET_MEMBERS_MAX + 1u}, "nodeLimit: "},
		{{.relay_rate = TAILNET_RATE_MAX + 1}, "relayBytesPerSecond: "},
		{{.relay_burst = TAILNET_RATE_MAX + 1}, "relayBurstBytes: "},
		{{.user_limit = UINT32_MAX}, "userLimit: "},
		{{.login_host = {(const uint8_t *)"Login.example", 13}}, "loginHost: "},
		{{.login_host = {(const uint8_t *)"login.example:443", 17}}, "loginHost: "},
		{{.login_host = {(const uint8_t *)"10.0.0.1", 8}}, "loginHost: "},
		{{.login_host = {(const uint8_t *)"a.", 2}}, "loginHost: "},
	};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(trials); i++) {
		struct diag why = {0};
		assert_int_equal(tailnet_check_admission(&trials[i].tailnet, &why), trials[i].place ? ERR_MALFORMED : ERR_NONE);
		assert_int_equal(strncmp(why.text, trials[i].place ? trials[i].place : "", trials[i].place ? strlen(trials[i].place) : 1), 0);
	}
}

static void checks_domains(void **state)
{
	struct bytes domains[] = {BYTES("example.com"), BYTES("a.example"), BYTES("Example.com")};
	struct tailnet t = {.domains = domains, .domain_count = 2};
	struct diag why = {0};
	(void)state;
	assert_int_equal(tailnet_check_admission(&t, NULL), ERR_NONE);
	t.domain_count = 3;
	assert_int_equal(tailnet_check_admission(&t, &why), ERR_MALFORMED);
	assert_string_equal(why.text, "domains[2]: a domain in lower case");
	t.domain_count = TAILNET_DOMAINS_MAX + 1;
	assert_int_equal(tailnet_check_admission(&t, NULL), ERR_MALFORMED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(checks_names), cmocka_unit_test(checks_ranges), cmocka_unit_test(checks_admission),
					   cmocka_unit_test(checks_domains)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
