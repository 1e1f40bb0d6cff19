#include "dnsjson.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const char *written(const struct dns *dns, bool with_exit_node)
{
	static char text[4096];
	struct buffer out;
	struct jsonw w;
	buffer_init(&out, sizeof text - 1);
	jsonw_start(&w, &out);
	dnsjson_write(&w, NULL, dns, BYTES("a.example"), with_exit_node);
	assert_int_equal(jsonw_end(&w), ERR_NONE);
	memcpy(text, out.at, out.len);
	text[out.len] = 0;
	buffer_clear(&out);
	return text;
}

static void says_what_is_set(void **state)
{
	(void)state;
	struct dns_resolver resolvers[] = {{BYTES("192.0.2.1"), false}, {BYTES("https://dns.example/q"), true}};
	struct dns_split split[] = {{BYTES("corp.example"), {BYTES("10.0.0.1"), false}},
				    {BYTES("mine.example"), {BYTES(""), false}},
				    {BYTES("corp.example"), {BYTES("10.0.0.2:5353"), true}}};
	struct dns_record records[] = {{BYTES("www.a.example"), BYTES("A"), BYTES("192.0.2.7")}};
	struct bytes search[] = {BYTES("corp.example")}, filtered[] = {BYTES(".secret.example")};
	struct dns dns = {0};
	assert_string_equal(written(&dns, true), "{\"Domains\":[\"a.example\"]}");
	dns.magic = true;
	assert_string_equal(written(&dns, true), "{\"Domains\":[\"a.example\"],\"Proxied\":true}");
	dns = (struct dns){.resolvers = resolvers, .resolver_count = 2};
	assert_string_equal(
		written(&dns, true),
		"{\"FallbackResolvers\":[{\"Addr\":\"192.0.2.1\"},{\"Addr\":\"https://dns.example/q\",\"UseWithExitNode\":true}],\"Domains\":[\"a.example\"]}");
	dns.override = true;
	assert_string_equal(written(&dns, false),
			    "{\"Resolvers\":[{\"Addr\":\"192.0.2.1\"},{\"Addr\":\"https://dns.example/q\"}],\"Domains\":[\"a.example\"]}");
	dns = (struct dns){.split = split, .split_count = 3, .search = search, .search_count = 1};
	assert_string_equal(written(&dns, true),
			    "{\"Routes\":{\"corp.example\":[{\"Addr\":\"10.0.0.1\"},{\"Addr\":\"10.0.0.2:5353\",\"UseWithExitNode\":true}],"
			    "\"mine.example\":[]},\"Domains\":[\"a.example\",\"corp.example\"]}");
	dns = (struct dns){.records = records, .record_count = 1, .exit_filtered = filtered, .exit_filtered_count = 1};
	assert_string_equal(written(&dns, true),
			    "{\"Domains\":[\"a.example\"],\"ExtraRecords\":[{\"Name\":\"www.a.example\",\"Type\":\"A\",\"Value\":\"192.0.2.7\"}],"
			    "\"ExitNodeFilteredSet\":[\".secret.example\"]}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(says_what_is_set)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
