#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include "addr.h"

static struct ip ip(const char *text)
{
	struct ip read;
	assert_int_equal(ip_parse(bytes_text(text), &read), ERR_NONE);
	return read;
}

static struct prefix prefix(const char *text)
{
	struct prefix read;
	assert_int_equal(prefix_parse(bytes_text(text), &read), ERR_NONE);
	return read;
}

/* `text` NULL: refused. */
static const struct {
	const char *in, *text;
} addresses[] = {
	{"1.2.3.4", "1.2.3.4"},
	{"0.0.0.0", "0.0.0.0"},
	{"255.255.255.255", "255.255.255.255"},
	{"100.64.0.1", "100.64.0.1"},
	{"::", "::"},
	{"::1", "::1"},
	{"1::", "1::"},
	{"fd7a:115c:a1e0::1", "fd7a:115c:a1e0::1"},
	{"2001:DB8::A", "2001:db8::a"},
	{"2001:0db8:0:0:0:0:0:000a", "2001:db8::a"},
	{"1:0:0:2:0:0:0:3", "1:0:0:2::3"},
	{"1:0:0:2:3:0:0:4", "1::2:3:0:0:4"},
	{"1:0:2:3:4:5:6:7", "1:0:2:3:4:5:6:7"},
	{"1::3:4:5:6:7:8", "1:0:3:4:5:6:7:8"},
	{"::ffff:1.2.3.4", "::ffff:1.2.3.4"},
	{"::ffff:102:304", "::ffff:1.2.3.4"},
	{"64:ff9b::1.2.3.4", "64:ff9b::102:304"},
	{"1:2:3:4:5:6:7.8.9.10", "1:2:3:4:5:6:708:90a"},
	{"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
	{"1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"},
	{"::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"},
	{"", NULL},
	{"1.2.3", NULL},
	{"1.2.3.4.5", NULL},
	{"1.2.3.256", NULL},
	{"01.2.3.4", NULL},
	{"1.2.3.00", NULL},
	{"1.2.3.", NULL},
	{".1.2.3", NULL},
	{" 1.2.3.4", NULL},
	{"1.2.3.4 ", NULL},
	{"1.2.3.-4", NULL},
	{"0x1.2.3.4", NULL},
	{"1.2.3.4/8", NULL},
	{"1234567890.1.1.1", NULL},
	{":", NULL},
	{":::", NULL},
	{"1:2:3:4:5:6:7", NULL},
	{"1:2:3:4:5:6:7:8:9", NULL},
	{"1:2:3:4:5:6:7:8::", NULL},
	{"::1:2:3:4:5:6:7:8", NULL},
	{"1::2::3", NULL},
	{"1:", NULL},
	{":1", NULL},
	{"1::2:", NULL},
	{"12345::", NULL},
	{"g::", NULL},
	{"fe80::1%eth0", NULL},
	{"::1.2.3", NULL},
	{"::1.2.3.4:5", NULL},
	{"1:2:3:4:5:6:7:1.2.3.4", NULL},
	{"1.2.3.4::", NULL},
	{"[::1]", NULL},
	{"::01.2.3.4", NULL},
	{"::ffff:1.2.3.4.5", NULL},
};

static void addresses_are_read_and_written(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(addresses); i++) {
		struct ip read, system = {0};
		char out[IP_TEXT_MAX];
		enum err e = ip_parse(bytes_text(addresses[i].in), &read);
		assert_int_equal(e, addresses[i].text ? ERR_NONE : ERR_MALFORMED);
		if (e != ERR_NONE)
			continue;
		assert_int_equal(ip_format(out, read), strlen(addresses[i].text));
		assert_string_equal(out, addresses[i].text);
		assert_int_equal(inet_pton(read.family == IP_V4 ? AF_INET : AF_INET6, addresses[i].in, system.byte), 1);
		assert_memory_equal(read.byte, system.byte, 16);
		struct bytes whole = bytes_text(addresses[i].text);
		for (size_t len = 0; len < whole.len; len++) { /* a cut text is refused or means what it says */
			struct ip cut, again;
			if (ip_parse(bytes_take(whole, len), &cut) != ERR_NONE)
				continue;
			ip_format(out, cut);
			assert_int_equal(ip_parse(bytes_text(out), &again), ERR_NONE);
			assert_true(ip_equal(cut, again));
		}
	}
	char out[IP_TEXT_MAX] = "x";
	assert_int_equal(ip_format(out, (struct ip){0}), 0);
	assert_string_equal(out, "");
}

static void prefixes_are_read_and_written(void **state)
{
	(void)state;
	static const struct {
		const char *in, *text;
	} cases[] = {
		{"10.0.0.0/8", "10.0.0.0/8"},
		{"10.1.2.3/8", "10.1.2.3/8"},
		{"0.0.0.0/0", "0.0.0.0/0"},
		{"1.2.3.4", "1.2.3.4/32"},
		{"::/0", "::/0"},
		{"fd7a::1", "fd7a::1/128"},
		{"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128"},
		{"10.0.0.0/33", NULL},
		{"::/129", NULL},
		{"10.0.0.0/", NULL},
		{"10.0.0.0/08", NULL},
		{"10.0.0.0/-1", NULL},
		{"10.0.0.0/8/8", NULL},
		{"/8", NULL},
		{"", NULL},
		{"10.0.0.0/8 ", NULL},
		{"10.0.0.0/4294967304", NULL},
		{"10/8", NULL},
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct prefix read;
		char out[PREFIX_TEXT_MAX];
		enum err e = prefix_parse(bytes_text(cases[i].in), &read);
		assert_int_equal(e, cases[i].text ? ERR_NONE : ERR_MALFORMED);
		if (e != ERR_NONE)
			continue;
		assert_int_equal(prefix_format(out, read), strlen(cases[i].text));
		assert_string_equal(out, cases[i].text);
	}
}

static void endpoints_are_read_and_written(void **state)
{
	(void)state;
	static const struct {
		const char *in;
		bool good;
	} cases[] = {
		{"1.2.3.4:41641", true}, {"[2001:db8::1]:41641", true}, {"[::]:0", true},      {"0.0.0.0:65535", true}, {"1.2.3.4", false},
		{"1.2.3.4:", false},     {"1.2.3.4:65536", false},      {"1.2.3.4:01", false}, {"::1:80", false},       {"[::1]", false},
		{"[::1]80", false},      {"[1.2.3.4]:80", false},       {"[::1:80", false},    {":80", false},          {"", false},
		{"1.2.3.4:80 ", false},  {"1.2.3.4:+80", false},        {"[]:80", false},
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct endpoint read;
		char out[ENDPOINT_TEXT_MAX];
		enum err e = endpoint_parse(bytes_text(cases[i].in), &read);
		assert_int_equal(e, cases[i].good ? ERR_NONE : ERR_MALFORMED);
		if (e != ERR_NONE)
			continue;
		assert_int_equal(endpoint_format(out, read), strlen(cases[i].in));
		assert_string_equal(out, cases[i].in);
		struct sockaddr_storage storage;
		socklen_t len = endpoint_to_sockaddr(read, &storage);
		assert_int_equal(len, read.ip.family == IP_V4 ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6));
		assert_true(endpoint_equal(endpoint_from_sockaddr((struct sockaddr *)&storage), read));
	}
	struct endpoint mapped = {ip("::ffff:1.2.3.4"), 5};
	struct sockaddr_storage storage;
	char out[ENDPOINT_TEXT_MAX];
	endpoint_to_sockaddr(mapped, &storage);
	endpoint_format(out, endpoint_from_sockaddr((struct sockaddr *)&storage));
	assert_string_equal(out, "1.2.3.4:5");
	storage.ss_family = AF_UNIX;
	assert_int_equal(endpoint_from_sockaddr((struct sockaddr *)&storage).ip.family, IP_NONE);
	assert_int_equal(endpoint_format(out, (struct endpoint){0}), 0);
}

static void prefixes_contain_and_overlap(void **state)
{
	(void)state;
	static const struct {
		const char *prefix, *ip;
		bool has;
	} members[] = {
		{"10.0.0.0/8", "10.255.0.1", true},
		{"10.0.0.0/8", "11.0.0.0", false},
		{"100.64.0.0/10", "100.127.255.255", true},
		{"100.64.0.0/10", "100.128.0.0", false},
		{"0.0.0.0/0", "1.2.3.4", true},
		{"0.0.0.0/0", "::1", false},
		{"::/0", "1.2.3.4", false},
		{"::/0", "ffff::", true},
		{"fd7a::/16", "fd7b::", false},
		{"1.2.3.4/32", "1.2.3.4", true},
		{"1.2.3.4/32", "1.2.3.5", false},
		{"::1/128", "::1", true},
	};
	for (size_t i = 0; i < COUNT_OF(members); i++)
		assert_int_equal(prefix_has(prefix(members[i].prefix), ip(members[i].ip)), members[i].has);
	static const struct {
		const char *a, *b;
		bool overlap;
	} pairs[] = {{"10.0.0.0/8", "10.1.0.0/16", true}, {"10.1.0.0/16", "10.2.0.0/16", false}, {"0.0.0.0/0", "::/0", false}, {"::/0", "::1/128", true}};
	for (size_t i = 0; i < COUNT_OF(pairs); i++) {
		assert_int_equal(prefix_overlaps(prefix(pairs[i].a), prefix(pairs[i].b)), pairs[i].overlap);
		assert_int_equal(prefix_overlaps(prefix(pairs[i].b), prefix(pairs[i].a)), pairs[i].overlap);
	}
	assert_false(prefix_has((struct prefix){0}, (struct ip){0}));
}

static void prefixes_are_masked(void **state)
{
	(void)state;
	static const struct {
		const char *in, *want;
	} cases[] = {
		{"10.1.2.3/8", "10.0.0.0/8"},
		{"10.1.2.3/32", "10.1.2.3/32"},
		{"255.255.255.255/0", "0.0.0.0/0"},
		{"10.1.2.255/25", "10.1.2.128/25"},
		{"ffff:ffff::1/17", "ffff:8000::/17"},
		{"::1/128", "::1/128"},
		{"::1/127", "::/127"},
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		assert_int_equal(prefix_compare(prefix_masked(prefix(cases[i].in)), prefix(cases[i].want)), 0);
	assert_true(prefix_compare(prefix("10.0.0.0/8"), prefix("10.0.0.0/9")) < 0);
	assert_true(prefix_compare(prefix("10.0.0.1/8"), prefix("10.0.0.0/9")) > 0);
	assert_true(ip_compare(ip("255.0.0.0"), ip("::")) < 0);
	assert_int_equal(ip_prefix(ip("::1")).bits, 128);
}

static void addresses_add_and_wrap(void **state)
{
	(void)state;
	static const struct {
		const char *from;
		uint64_t offset;
		const char *want;
	} cases[] = {
		{"100.64.0.0", 1, "100.64.0.1"},
		{"100.64.0.255", 1, "100.64.1.0"},
		{"255.255.255.255", 1, "0.0.0.0"},
		{"1.2.3.4", UINT64_C(1) << 32, "1.2.3.4"},
		{"::", UINT64_MAX, "::ffff:ffff:ffff:ffff"},
		{"::ffff:ffff:ffff:ffff", 1, "0:0:0:1::"},
		{"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 2, "::1"},
		{"10.0.0.0", 0x010203, "10.1.2.3"},
		{"::ffff:ffff:ffff:ff02", UINT64_MAX, "::1:ffff:ffff:ffff:ff01"},
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		assert_true(ip_equal(ip_add(ip(cases[i].from), cases[i].offset), ip(cases[i].want)));
}

static void kinds_are_told(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		bool link_local;
	} cases[] = {
		{"169.254.1.1", true}, {"169.255.1.1", false}, {"127.9.9.9", false}, {"fe80::1", true}, {"febf::1", true}, {"fec0::1", false}, {"::1", false},
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		assert_int_equal(ip_is_link_local(ip(cases[i].text)), cases[i].link_local);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_are_read_and_written),
		cmocka_unit_test(prefixes_are_read_and_written),
		cmocka_unit_test(endpoints_are_read_and_written),
		cmocka_unit_test(prefixes_contain_and_overlap),
		cmocka_unit_test(prefixes_are_masked),
		cmocka_unit_test(addresses_add_and_wrap),
		cmocka_unit_test(kinds_are_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
