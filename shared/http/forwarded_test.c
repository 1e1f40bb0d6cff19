#include "forwarded.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "buffer.h"

static struct trusted trust(const char *list)
{
	struct trusted t;
	struct diag why = {0};
	assert_int_equal(trusted_parse(bytes_text(list), &t, &why), ERR_NONE);
	return t;
}

static void lists_are_read(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		enum err e;
		size_t count;
	} TRIALS[] = {
		{"", ERR_NONE, 0},
		{" , ", ERR_NONE, 0},
		{"10.0.0.0/8", ERR_NONE, 1},
		{"10.0.0.1,192.168.0.0/16 fd00::/8,\t::1", ERR_NONE, 4},
		{"10.1.2.3/8", ERR_NONE, 1},
		{"0.0.0.0/0", ERR_MALFORMED, 0},
		{"::/0", ERR_MALFORMED, 0},
		{"10.0.0.1, ::/0", ERR_MALFORMED, 1},
		{"proxy.example.com", ERR_MALFORMED, 0},
		{"10.0.0.0/33", ERR_MALFORMED, 0},
		{"10.0.0.1:80", ERR_MALFORMED, 0},
	};
	for (size_t i = 0; i < COUNT_OF(TRIALS); i++) {
		struct trusted t;
		struct diag why = {0};
		assert_int_equal(trusted_parse(bytes_text(TRIALS[i].text), &t, &why), TRIALS[i].e);
		assert_int_equal(t.count, TRIALS[i].count);
		assert_int_equal(*why.text != 0, TRIALS[i].e != ERR_NONE);
	}
}

static void lists_end_at_their_cap(void **state)
{
	(void)state;
	struct buffer text;
	struct trusted t;
	buffer_init(&text, 1 << 16);
	for (unsigned i = 0; i < TRUSTED_MAX; i++)
		assert_int_equal(buffer_add_text(&text, "10.0.0.1 "), ERR_NONE);
	assert_int_equal(trusted_parse(buffer_bytes(&text), &t, NULL), ERR_NONE);
	assert_int_equal(buffer_add_text(&text, "10.0.0.1"), ERR_NONE);
	assert_int_equal(trusted_parse(buffer_bytes(&text), &t, NULL), ERR_TOO_BIG);
	buffer_clear(&text);
}

static void membership_is_by_prefix(void **state)
{
	(void)state;
	struct trusted t = trust("10.1.2.3/8, fd00::/8");
	static const struct {
		const char *ip;
		bool in;
	} TRIALS[] = {{"10.255.0.1", true}, {"11.0.0.1", false}, {"fd7a::1", true}, {"fe80::1", false}, {"::ffff:10.0.0.1", false}};
	for (size_t i = 0; i < COUNT_OF(TRIALS); i++) {
		struct ip ip;
		assert_int_equal(ip_parse(bytes_text(TRIALS[i].ip), &ip), ERR_NONE);
		assert_int_equal(trusted_has(&t, ip), TRIALS[i].in);
	}
	assert_false(trusted_has(&t, (struct ip){0}));
}

/* Proxies: 10.0.0.0/8 and fd00::/8. The connection comes to host "door", without TLS. */
static const struct {
	const char *peer, *addresses, *proto, *host; /* in */
	const char *client, *told_host;              /* out; NULL: as it was */
	bool secure, ok;
} TRIALS[] = {
	{"10.0.0.1:99", NULL, NULL, NULL, NULL, NULL, false, true},
	{"10.0.0.1:99", "1.2.3.4", "https", "a.example", "1.2.3.4:0", "a.example", true, true},
	/* A stranger says what he likes. */
	{"9.9.9.9:99", "1.2.3.4", "https", "a.example", NULL, NULL, false, true},
	{"9.9.9.9:99", "garbage", "garbage", "///", NULL, NULL, false, true},
	/* From the right, over those that are trusted. */
	{"10.0.0.1:99", "6.6.6.6, 1.2.3.4", NULL, NULL, "1.2.3.4:0", NULL, false, true},
	{"10.0.0.1:99", "6.6.6.6,1.2.3.4,10.0.0.9,10.0.0.8", NULL, NULL, "1.2.3.4:0", NULL, false, true},
	{"10.0.0.1:99", "garbage,1.2.3.4", NULL, NULL, "1.2.3.4:0", NULL, false, true},
	{"10.0.0.1:99", "10.0.0.7,10.0.0.8", NULL, NULL, "10.0.0.7:0", NULL, false, true},
	/* Forms of an address. */
	{"10.0.0.1:99", "1.2.3.4:567", NULL, NULL, "1.2.3.4:567", NULL, false, true},
	{"10.0.0.1:99", "2001:db8::1", NULL, NULL, "[2001:db8::1]:0", NULL, false, true},
	{"10.0.0.1:99", "[2001:db8::1]", NULL, NULL, "[2001:db8::1]:0", NULL, false, true},
	{"10.0.0.1:99", "[2001:db8::1]:44", NULL, NULL, "[2001:db8::1]:44", NULL, false, true},
	{"10.0.0.1:99", "::ffff:1.2.3.4", NULL, NULL, "1.2.3.4:0", NULL, false, true},
	{"10.0.0.1:99", "1.2.3.4, ::ffff:10.0.0.2", NULL, NULL, "1.2.3.4:0", NULL, false, true},
	{"[fd00::5]:99", " \t1.2.3.4\t ", NULL, NULL, "1.2.3.4:0", NULL, false, true},
	/* Malformed: ignored from there on. */
	{"10.0.0.1:99", "garbage", NULL, NULL, NULL, NULL, false, false},
	{"10.0.0.1:99", "1.2.3.4,", NULL, NULL, NULL, NULL, false, false},
	{"10.0.0.1:99", "unknown", "https", NULL, NULL, NULL, true, false},
	{"10.0.0.1:99", "1.2.3.4,garbage,10.0.0.8", NULL, NULL, "10.0.0.8:0", NULL, false, false},
	{"10.0.0.1:99", "1.2.3.4.5", NULL, NULL, NULL, NULL, false, false},
	{"10.0.0.1:99", "[1.2.3.4", NULL, NULL, NULL, NULL, false, false},
	{"10.0.0.1:99", "\"1.2.3.4\"", NULL, NULL, NULL, NULL, false, false},
	{"10.0.0.1:99", "1.2.3.4%eth0", NULL, NULL, NULL, NULL, false, false},
	/* The scheme: the nearest proxy's word. */
	{"10.0.0.1:99", NULL, "HTTPS", NULL, NULL, NULL, true, true},
	{"10.0.0.1:99", NULL, "wss", NULL, NULL, NULL, true, true},
	{"10.0.0.1:99", NULL, "http", NULL, NULL, NULL, false, true},
	{"10.0.0.1:99", NULL, "https,http", NULL, NULL, NULL, false, true},
	{"10.0.0.1:99", NULL, "http, https", NULL, NULL, NULL, true, true},
	{"10.0.0.1:99", NULL, "gopher", NULL, NULL, NULL, false, false},
	/* The host. */
	{"10.0.0.1:99", NULL, NULL, "a.example:8443", NULL, "a.example:8443", false, true},
	{"10.0.0.1:99", NULL, NULL, "evil.example, a.example", NULL, "a.example", false, true},
	{"10.0.0.1:99", NULL, NULL, "a.example/x", NULL, NULL, false, false},
	{"10.0.0.1:99", NULL, NULL, "a example", NULL, NULL, false, false},
	{"10.0.0.1:99", NULL, NULL, "<script>", NULL, NULL, false, false},
};

static void the_nearest_stranger_is_the_client(void **state)
{
	(void)state;
	struct trusted t = trust("10.0.0.0/8 fd00::/8");
	for (size_t i = 0; i < COUNT_OF(TRIALS); i++) {
		struct origin origin = {.host = BYTES("door")};
		struct forwarded said = {bytes_text(TRIALS[i].addresses), bytes_text(TRIALS[i].proto), bytes_text(TRIALS[i].host)};
		char text[ENDPOINT_TEXT_MAX];
		assert_int_equal(endpoint_parse(bytes_text(TRIALS[i].peer), &origin.peer), ERR_NONE);
		bool ok = forwarded_apply(&t, &said, &origin);
		endpoint_format(text, origin.peer);
		assert_string_equal(text, TRIALS[i].client ? TRIALS[i].client : TRIALS[i].peer);
		assert_true(bytes_equal_text(origin.host, TRIALS[i].told_host ? TRIALS[i].told_host : "door"));
		assert_int_equal(origin.secure, TRIALS[i].secure);
		assert_int_equal(ok, TRIALS[i].ok);
	}
}

static void nobody_is_trusted_without_a_list(void **state)
{
	(void)state;
	struct trusted none = {0};
	struct origin origin = {.peer = {.ip = {IP_V4, {127, 0, 0, 1}}, .port = 1}, .host = BYTES("door")};
	struct forwarded said = {BYTES("1.2.3.4"), BYTES("https"), BYTES("a")};
	assert_true(forwarded_apply(&none, &said, &origin));
	assert_int_equal(origin.peer.ip.byte[0], 127);
	assert_false(origin.secure);
}

static void hops_are_counted(void **state)
{
	(void)state;
	struct trusted t = trust("10.0.0.0/8");
	struct buffer list;
	buffer_init(&list, 1 << 16);
	assert_int_equal(buffer_add_text(&list, "1.2.3.4"), ERR_NONE);
	for (unsigned i = 0; i < FORWARDED_HOPS_MAX; i++) {
		struct origin origin = {.peer = {.ip = {IP_V4, {10, 0, 0, 1}}}};
		struct forwarded said = {.addresses = buffer_bytes(&list)};
		assert_true(forwarded_apply(&t, &said, &origin));
		assert_int_equal(origin.peer.ip.byte[0], 1);
		assert_int_equal(buffer_add_text(&list, ",10.0.0.2"), ERR_NONE);
	}
	struct origin origin = {.peer = {.ip = {IP_V4, {10, 0, 0, 1}}}};
	struct forwarded said = {.addresses = buffer_bytes(&list)};
	assert_false(forwarded_apply(&t, &said, &origin));
	assert_int_equal(origin.peer.ip.byte[0], 10);
	buffer_clear(&list);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists_are_read),
		cmocka_unit_test(lists_end_at_their_cap),
		cmocka_unit_test(membership_is_by_prefix),
		cmocka_unit_test(the_nearest_stranger_is_the_client),
		cmocka_unit_test(nobody_is_trusted_without_a_list),
		cmocka_unit_test(hops_are_counted),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
