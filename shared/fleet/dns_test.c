/* DNS settings: every kind of value, the caps, contradictions, and rows that read back as they were written. */
#include "dns.h"
#include "settings.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdio.h>

enum what { RESOLVER, SPLIT_DOMAIN, SPLIT_RESOLVER, SEARCH, FILTERED, RECORD_NAME, RECORD_TYPE, RECORD_A, RECORD_AAAA };

/* One value where it belongs, all else fine. */
static enum err check_one(enum what what, const char *text, struct diag *why)
{
	struct bytes value = bytes_text(text);
	struct dns_resolver resolver = {value, false};
	struct dns_split split = {BYTES("corp.example"), {BYTES("10.0.0.1"), false}};
	struct dns_record record = {BYTES("host.example"), BYTES("A"), BYTES("10.0.0.2")};
	struct dns dns = {.magic = true};

	*why = (struct diag){0};
	switch (what) {
	case RESOLVER:
		dns.resolvers = &resolver, dns.resolver_count = 1;
		return dns_check(&dns, why);
	case SPLIT_DOMAIN:
		split.domain = value;
		break;
	case SPLIT_RESOLVER:
		split.resolver.address = value;
		break;
	case SEARCH:
		dns.search = &value, dns.search_count = 1;
		return dns_check(&dns, why);
	case FILTERED:
		dns.exit_filtered = &value, dns.exit_filtered_count = 1;
		return dns_check(&dns, why);
	case RECORD_NAME:
		record.name = value;
		break;
	case RECORD_TYPE:
		record.type = value;
		break;
	case RECORD_A:
	case RECORD_AAAA:
		record.type = what == RECORD_A ? BYTES("A") : BYTES("AAAA");
		record.value = value;
		break;
	}
	dns.split = &split, dns.split_count = 1;
	dns.records = &record, dns.record_count = 1;
	return dns_check(&dns, why);
}

#define LABEL63 "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijk"
#define NAME252 \
	LABEL63 "." LABEL63 "." LABEL63 "." \
		"abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefgh"

static void good_values(void **state)
{
	static const struct {
		enum what what;
		const char *text;
	} trials[] = {
		{RESOLVER, "1.1.1.1"},
		{RESOLVER, "10.0.0.1:5353"},
		{RESOLVER, "2606:4700:4700::1111"},
		{RESOLVER, "[2606:4700:4700::1111]:53"},
		{RESOLVER, "127.0.0.1"}, /* a resolver of each machine */
		{RESOLVER, "https://dns.example/dns-query"},
		{RESOLVER, "https://dns.nextdns.io/c14af1?x=1"},
		{RESOLVER, "https://dns.example:8443"},
		{RESOLVER, "https://1.1.1.1/dns-query"},
		{RESOLVER, "https://[2606:4700::1]:443/dns-query"},
		{RESOLVER, "https://[2606:4700::1]/dns-query"},
		{SPLIT_DOMAIN, "corp"},
		{SPLIT_DOMAIN, "10.in-addr.arpa"},
		{SPLIT_DOMAIN, NAME252},
		{SPLIT_RESOLVER, ""},
		{SPLIT_RESOLVER, "10.1.2.3"},
		{SEARCH, "a.b"},
		{SEARCH, "_tcp.b"},
		{FILTERED, "a.b"},
		{FILTERED, ".a.b"},
		{RECORD_NAME, "a"},
		{RECORD_NAME, "xn--bcher-kva.example"},
		{RECORD_A, "203.0.113.9"},
		{RECORD_AAAA, "2001:db8::1"},
	};
	struct diag why;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(trials); i++)
		if (check_one(trials[i].what, trials[i].text, &why))
			fail_msg("%zu: %s: %s", i, trials[i].text, why.text);
}

/* Place of the fault, and a word of the sentence. */
static const struct {
	enum what what;
	const char *text, *place, *word;
} bad_texts[] = {
	{RESOLVER, "", "dns.resolvers[0].address: ", "IP address"},
	{RESOLVER, "dns.example", "dns.resolvers[0].address: ", "IP address"},
	{RESOLVER, "1.1.1.1 exit", "dns.resolvers[0].address: ", "IP address"},
	{RESOLVER, "1.1.1.1:0", "dns.resolvers[0].address: ", "port"},
	{RESOLVER, "1.1.1.1:65536", "dns.resolvers[0].address: ", "IP address"},
	{RESOLVER, "0.0.0.0", "dns.resolvers[0].address: ", "no machine"},
	{RESOLVER, "::", "dns.resolvers[0].address: ", "no machine"},
	{RESOLVER, "224.0.0.251", "dns.resolvers[0].address: ", "no machine"},
	{RESOLVER, "ff02::fb", "dns.resolvers[0].address: ", "no machine"},
	{RESOLVER, "100.100.100.100", "dns.resolvers[0].address: ", "own resolver"},
	{RESOLVER, "100.100.100.100:53", "dns.resolvers[0].address: ", "own resolver"},
	{RESOLVER, "fd7a:115c:a1e0::53", "dns.resolvers[0].address: ", "own resolver"},
	{RESOLVER, "http://dns.example/dns-query", "dns.resolvers[0].address: ", "https"},
	{RESOLVER, "tls://1.1.1.1", "dns.resolvers[0].address: ", "https"},
	{RESOLVER, "https://", "dns.resolvers[0].address: ", "host"},
	{RESOLVER, "https:///dns-query", "dns.resolvers[0].address: ", "host"},
	{RESOLVER, "https://dns.example:0/", "dns.resolvers[0].address: ", "port"},
	{RESOLVER, "https://dns.example:/", "dns.resolvers[0].address: ", "port"},
	{RESOLVER, "https://dns.example:99999/", "dns.resolvers[0].address: ", "port"},
	{RESOLVER, "https://user@dns.example/", "dns.resolvers[0].address: ", "user"},
	{RESOLVER, "https://dns.example/#x", "dns.resolvers[0].address: ", "fragment"},
	{RESOLVER, "https://dns.example/a b", "dns.resolvers[0].address: ", "spaces"},
	{RESOLVER, "https://DNS.example/", "dns.resolvers[0].address: ", "lower-case"},
	{RESOLVER, "https://[::1", "dns.resolvers[0].address: ", "IPv6"},
	{RESOLVER, "https://[]/", "dns.resolvers[0].address: ", "IPv6"},
	{RESOLVER, "https://[", "dns.resolvers[0].address: ", "IPv6"},
	{SPLIT_DOMAIN, "", "dns.split[0].domain: ", "1 to 253"},
	{SPLIT_DOMAIN, "Corp.example", "dns.split[0].domain: ", "lower-case"},
	{SPLIT_DOMAIN, "corp.example.", "dns.split[0].domain: ", "dot"},
	{SPLIT_DOMAIN, ".corp.example", "dns.split[0].domain: ", "dot"},
	{SPLIT_DOMAIN, "a..b", "dns.split[0].domain: ", "dot"},
	{SPLIT_DOMAIN, "a b", "dns.split[0].domain: ", "lower-case"},
	{SPLIT_DOMAIN, "*.b", "dns.split[0].domain: ", "lower-case"},
	{SPLIT_DOMAIN, "-a.b", "dns.split[0].domain: ", "hyphen"},
	{SPLIT_DOMAIN, "a.b-", "dns.split[0].domain: ", "hyphen"},
	{SPLIT_DOMAIN, LABEL63 "x.b", "dns.split[0].domain: ", "63"},
	{SPLIT_DOMAIN, NAME252 ".ab", "dns.split[0].domain: ", "253"},
	{SPLIT_RESOLVER, "corp", "dns.split[0].resolvers[0].address: ", "IP address"},
	{SEARCH, "A", "dns.searchDomains[0]: ", "lower-case"},
	{SEARCH, ".a", "dns.searchDomains[0]: ", "dot"},
	{FILTERED, "..a", "dns.exitNodeFiltered[0]: ", "dot"},
	{FILTERED, ".", "dns.exitNodeFiltered[0]: ", "1 to 253"},
	{FILTERED, "", "dns.exitNodeFiltered[0]: ", "1 to 253"},
	{RECORD_NAME, "a/b", "dns.records[0].name: ", "lower-case"},
	{RECORD_NAME, "\xc3\xa9.example", "dns.records[0].name: ", "lower-case"},
	{RECORD_TYPE, "TXT", "dns.records[0].type: ", "ignore all others (\"TXT\")"},
	{RECORD_TYPE, "CNAME", "dns.records[0].type: ", "ignore all others (\"CNAME\")"},
	{RECORD_TYPE, "a", "dns.records[0].type: ", "ignore"},
	{RECORD_TYPE, "", "dns.records[0].type: ", "ignore"},
	{RECORD_TYPE, "AAAA", "dns.records[0].value: ", "IPv6"},
	{RECORD_A, "2001:db8::1", "dns.records[0].value: ", "IPv4"},
	{RECORD_A, "10.0.0.256", "dns.records[0].value: ", "IPv4"},
	{RECORD_A, "", "dns.records[0].value: ", "IPv4"},
	{RECORD_AAAA, "10.0.0.1", "dns.records[0].value: ", "IPv6"},
	{RECORD_AAAA, "fe80::1%eth0", "dns.records[0].value: ", "IPv6"},
};

static void bad_values(void **state)
{
	struct diag why;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(bad_texts); i++) {
		assert_int_equal(check_one(bad_texts[i].what, bad_texts[i].text, &why), ERR_MALFORMED);
		if (strncmp(why.text, bad_texts[i].place, strlen(bad_texts[i].place)) != 0 || !strstr(why.text, bad_texts[i].word))
			fail_msg("%zu: %s: %s", i, bad_texts[i].text, why.text);
	}
}

static void refused(const struct dns *dns, const char *words)
{
	struct diag why = {0};

	assert_int_equal(dns_check(dns, &why), ERR_MALFORMED);
	if (!strstr(why.text, words))
		fail_msg("%s, not: %s", why.text, words);
}

static void contradictions(void **state)
{
	struct dns_resolver twice[] = {{BYTES("1.1.1.1"), false}, {BYTES("1.1.1.1"), true}};
	struct dns_split both[] = {{BYTES("a.b"), {BYTES("1.1.1.1"), false}}, {BYTES("c"), {BYTES_NONE, false}}, {BYTES("a.b"), {BYTES_NONE, false}}};
	struct dns_split mixed[] = {{BYTES("c"), {BYTES_NONE, false}}, {BYTES("a.b"), {BYTES("1.1.1.1"), false}}, {BYTES("a.b"), {BYTES_NONE, false}}};
	struct dns_split again[] = {
		{BYTES("a.b"), {BYTES("1.1.1.1"), false}}, {BYTES("a.b"), {BYTES("1.1.1.2"), false}}, {BYTES("a.b"), {BYTES("1.1.1.1"), true}}};
	struct dns_split own[] = {{BYTES("a.b"), {BYTES_NONE, false}}, {BYTES("a.b"), {BYTES_NONE, false}}};
	struct dns_split exit_alone[] = {{BYTES("a.b"), {BYTES_NONE, true}}};
	struct bytes names[] = {BYTES("a"), BYTES("b"), BYTES("a")};
	struct dns_record records[] = {{BYTES("a"), BYTES("A"), BYTES("1.1.1.1")},
				       {BYTES("a"), BYTES("AAAA"), BYTES("::2")},
				       {BYTES("a"), BYTES("A"), BYTES("1.1.1.2")},
				       {BYTES("a"), BYTES("A"), BYTES("1.1.1.1")}};
	struct diag why;

	(void)state;
	refused(&(struct dns){.override = true}, "dns.overrideLocalDns: there is no resolver");
	assert_int_equal(dns_check(&(struct dns){.override = true, .resolvers = twice, .resolver_count = 1}, &why), ERR_NONE);
	refused(&(struct dns){.resolvers = twice, .resolver_count = 2}, "dns.resolvers[1].address: this resolver is named twice");
	refused(&(struct dns){.split = both, .split_count = 3}, "dns.split[2].domain: this domain is named twice");
	refused(&(struct dns){.split = mixed, .split_count = 3}, "dns.split[1]: a domain that clients answer by themselves has no resolvers");
	assert_int_equal(dns_check(&(struct dns){.split = again, .split_count = 2}, &why), ERR_NONE);
	refused(&(struct dns){.split = again, .split_count = 3}, "dns.split[0].resolvers[2].address: this resolver is named twice");
	refused(&(struct dns){.split = own, .split_count = 2}, "dns.split[0]: this domain is named twice");
	refused(&(struct dns){.split = exit_alone, .split_count = 1}, "dns.split[0].resolvers[0].address: a resolver has an address");
	refused(&(struct dns){.search = names, .search_count = 3}, "dns.searchDomains[2]: this name is given twice");
	refused(&(struct dns){.exit_filtered = names, .exit_filtered_count = 3}, "dns.exitNodeFiltered[2]: this name is given twice");
	assert_int_equal(dns_check(&(struct dns){.records = records, .record_count = 3}, &why), ERR_NONE);
	refused(&(struct dns){.records = records, .record_count = 4}, "dns.records[3]: this record is given twice");
}

/* The most of each list passes, one more does not. */
static void caps(void **state)
{
	enum { MOST = DNS_RECORDS_MAX + 1 };
	static struct dns_resolver resolvers[MOST];
	static struct dns_split split[MOST];
	static struct dns_record records[MOST];
	static struct bytes names[MOST];
	static char texts[MOST][16], addresses[MOST][24];
	struct dns dns = {.resolvers = resolvers,
			  .split = split,
			  .search = names,
			  .records = records,
			  .exit_filtered = names,
			  .resolver_count = DNS_RESOLVERS_MAX,
			  .split_count = DNS_SPLIT_MAX,
			  .search_count = DNS_SEARCH_MAX,
			  .record_count = DNS_RECORDS_MAX,
			  .exit_filtered_count = DNS_FILTERED_MAX};
	size_t *counts[] = {&dns.resolver_count, &dns.split_count, &dns.search_count, &dns.record_count, &dns.exit_filtered_count};
	struct diag why;

	(void)state;
	for (unsigned i = 0; i < MOST; i++) {
		snprintf(texts[i], sizeof texts[i], "n%u", i);
		snprintf(addresses[i], sizeof addresses[i], "10.0.%u.%u", i / 256, i % 256);
		names[i] = bytes_text(texts[i]);
		resolvers[i].address = bytes_text(addresses[i]);
		split[i] = (struct dns_split){names[i], resolvers[i]};
		records[i] = (struct dns_record){names[i], BYTES("A"), bytes_text(addresses[i])};
	}
	assert_int_equal(dns_check(&dns, &why), ERR_NONE);
	for (size_t i = 0; i < COUNT_OF(counts); i++) {
		++*counts[i];
		refused(&dns, ": at most ");
		--*counts[i];
	}
}

static void rows_read_back(void **state)
{
	struct arena *arena = arena_new();
	struct dns_resolver resolver = {BYTES("https://dns.example/q"), true};
	struct dns_split split = {BYTES("a.b"), {BYTES("1.1.1.1"), true}}, own = {BYTES("a.b"), {BYTES_NONE, false}};
	struct dns_record record = {BYTES("a.b"), BYTES("AAAA"), BYTES("::1")};
	struct bytes text;

	(void)state;
	text = dns_resolver_format(arena, &resolver);
	assert_true(bytes_equal_text(text, "https://dns.example/q exit"));
	resolver = dns_resolver_parse(text);
	assert_true(resolver.with_exit_node && bytes_equal_text(resolver.address, "https://dns.example/q"));
	text = dns_split_format(arena, &split);
	assert_true(bytes_equal_text(text, "a.b 1.1.1.1 exit"));
	split = dns_split_parse(text);
	assert_true(split.resolver.with_exit_node && bytes_equal_text(split.resolver.address, "1.1.1.1") && bytes_equal_text(split.domain, "a.b"));
	text = dns_split_format(arena, &own);
	assert_true(bytes_equal_text(text, "a.b"));
	own = dns_split_parse(text);
	assert_true(!own.resolver.with_exit_node && !own.resolver.address.len && bytes_equal_text(own.domain, "a.b"));
	text = dns_record_format(arena, &record);
	record = dns_record_parse(text);
	assert_true(bytes_equal_text(record.name, "a.b") && bytes_equal_text(record.type, "AAAA") && bytes_equal_text(record.value, "::1"));
	assert_int_equal(dns_record_parse(BYTES("")).value.len, 0);
	arena_free(&arena);
}

static void notices(void **state)
{
	char notice[SETTINGS_NOTICE_MAX + 1];
	struct diag why;

	(void)state;
	memset(notice, 'n', sizeof notice);
	assert_int_equal(settings_check(&(struct settings){.notice = BYTES_NONE}, &why), ERR_NONE);
	assert_int_equal(settings_check(&(struct settings){.notice = BYTES("Back at 9.\nGr\xc3\xbc\xc3\x9f"
									   "e")},
					&why),
			 ERR_NONE);
	assert_int_equal(settings_check(&(struct settings){.notice = bytes_of(notice, SETTINGS_NOTICE_MAX)}, &why), ERR_NONE);
	assert_int_equal(settings_check(&(struct settings){.notice = bytes_of(notice, sizeof notice)}, &why), ERR_MALFORMED);
	assert_int_equal(settings_check(&(struct settings){.notice = BYTES("a\x1b[1m")}, &why), ERR_MALFORMED);
	assert_int_equal(settings_check(&(struct settings){.notice = BYTES("a\xff")}, &why), ERR_MALFORMED);
	assert_int_equal(settings_check(&(struct settings){.dns.override = true}, &why), ERR_MALFORMED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(good_values), cmocka_unit_test(bad_values),     cmocka_unit_test(contradictions),
					   cmocka_unit_test(caps),        cmocka_unit_test(rows_read_back), cmocka_unit_test(notices)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
