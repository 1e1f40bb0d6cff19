#include "derpnode.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static bool read(const char *text, struct derpnode *node)
{
	json_t *object = json_loads(text, JSON_ALLOW_NUL | JSON_DECODE_ANY, NULL);
	assert_non_null(object);
	memset(node, 0x5a, sizeof *node);
	bool is = derpnode_read(object, node);
	json_decref(object);
	return is;
}

#define NODE(more) "{\"Name\":\"b\",\"HostName\":\"h.example\"" more "}"

static void members_are_read(void **state)
{
	static const struct {
		const char *text;
		unsigned port;
		const char *ip4, *ip6, *cert_name;
		bool insecure;
	} cases[] = {
		{NODE(""), 443, "", "", "", false},
		{NODE(",\"CertName\":\"c\",\"IPv4\":\"192.0.2.1\",\"IPv6\":\"2001:db8::1\",\"DERPPort\":8443,\"InsecureForTests\":true"), 8443, "192.0.2.1",
		 "2001:db8::1", "c", true},
		{NODE(",\"IPv4\":\"none\",\"IPv6\":\"\",\"DERPPort\":0"), 443, "", "", "", false},
		{NODE(",\"IPv4\":\"2001:db8::1\",\"IPv6\":\"192.0.2.1\""), 443, "", "", "", false},
		{NODE(",\"IPv4\":7,\"IPv6\":[],\"DERPPort\":\"8443\",\"CertName\":{},\"InsecureForTests\":1"), 443, "", "", "", false},
		{NODE(",\"DERPPort\":65535"), 65535, "", "", "", false},
		{NODE(",\"DERPPort\":65536"), 443, "", "", "", false},
		{NODE(",\"DERPPort\":-1"), 443, "", "", "", false},
		{NODE(",\"DERPPort\":8443.0"), 443, "", "", "", false},
		{NODE(",\"CertName\":\"c\\u0000d\""), 443, "", "", "", false},
	};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct derpnode n;
		char ip4[IP_TEXT_MAX], ip6[IP_TEXT_MAX];
		assert_true(read(cases[i].text, &n));
		ip_format(ip4, n.ip4);
		ip_format(ip6, n.ip6);
		assert_string_equal(n.name, "b");
		assert_string_equal(n.host, "h.example");
		assert_string_equal(ip4, cases[i].ip4);
		assert_string_equal(ip6, cases[i].ip6);
		assert_string_equal(n.cert_name, cases[i].cert_name);
		assert_int_equal(n.port, cases[i].port);
		assert_int_equal(n.insecure_for_tests, cases[i].insecure);
	}
}

static void no_node_without_name_and_host(void **state)
{
	static const char *const texts[] = {
		"{\"Name\":\"b\"}",
		"{\"HostName\":\"h\"}",
		"{\"Name\":7,\"HostName\":\"h\"}",
		"{\"Name\":\"\",\"HostName\":\"h\"}",
		"7",
		"null",
		"[]",
		"{\"Name\":\"b\",\"HostName\":\"h\\u0000i\"}",
		/* A name goes into a request's head as it is. */
		"{\"Name\":\"b\",\"HostName\":\"h\\r\\nX: y\"}",
		"{\"Name\":\"b\",\"HostName\":\"h i\"}",
	};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(texts); i++) {
		struct derpnode n;
		if (read(texts[i], &n))
			fail_msg("%s", texts[i]);
	}
}

static void texts_have_caps(void **state)
{
	static const struct {
		const char *name;
		size_t most;
		size_t at; /* where it is kept */
		bool needed;
	} cases[] = {{"Name", DERPNODE_NAME_MAX, offsetof(struct derpnode, name), true},
		     {"HostName", DERPNODE_HOST_MAX, offsetof(struct derpnode, host), true},
		     {"CertName", DERPNODE_HOST_MAX, offsetof(struct derpnode, cert_name), false}};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		for (size_t more = 0; more < 2; more++) {
			char text[DERPNODE_HOST_MAX + 1];
			struct derpnode n;
			json_t *object = json_pack("{s:s,s:s}", "Name", "b", "HostName", "h");
			memset(text, 'x', sizeof text);
			json_object_set_new(object, cases[i].name, json_stringn(text, cases[i].most + more));
			assert_int_equal(derpnode_read(object, &n), !more || !cases[i].needed);
			assert_int_equal(strlen((char *)&n + cases[i].at), more ? 0 : cases[i].most);
			json_decref(object);
		}
	}
}

static void equal_in_all_members(void **state)
{
	static const char text[] = NODE(",\"CertName\":\"c\",\"IPv4\":\"192.0.2.1\",\"IPv6\":\"2001:db8::1\",\"DERPPort\":8443");
	static const char *const others[] = {
		"{\"Name\":\"d\"}",           "{\"HostName\":\"d\"}", "{\"CertName\":\"d\"}",        "{\"IPv4\":\"192.0.2.2\"}",
		"{\"IPv6\":\"2001:db8::2\"}", "{\"DERPPort\":8444}",  "{\"InsecureForTests\":true}",
	};
	struct derpnode n, same, other;
	(void)state;
	assert_true(read(text, &n));
	same = n;
	memset(same.name + 2, 'x', sizeof same.name - 2);
	assert_true(derpnode_equal(&n, &same));
	for (size_t i = 0; i < COUNT_OF(others); i++) {
		json_t *object = json_loads(text, 0, NULL), *change = json_loads(others[i], 0, NULL);
		assert_int_equal(json_object_update(object, change), 0);
		assert_true(derpnode_read(object, &other));
		assert_false(derpnode_equal(&n, &other));
		json_decref(object);
		json_decref(change);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(members_are_read),
		cmocka_unit_test(no_node_without_name_and_host),
		cmocka_unit_test(texts_have_caps),
		cmocka_unit_test(equal_in_all_members),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
