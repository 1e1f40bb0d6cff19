#include "told.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define ONE "1111111111111111111111111111111111111111111111111111111111111111"
#define TWO "AbCdEf1111111111111111111111111111111111111111111111111111111122"
#define ZERO "0000000000000000000000000000000000000000000000000000000000000000"
#define SIBLING(more) "{\"Siblings\":[{\"Name\":\"b\",\"HostName\":\"h.example\"" more "}]}"

static struct told *told_of(const char *text)
{
	json_t *answer = json_loads(text, JSON_ALLOW_NUL, NULL);
	struct told *told;
	assert_non_null(answer);
	told = told_new(answer);
	json_decref(answer);
	return told;
}

static void wishes(void **state)
{
	/* Whether it shall drain, and whether nobody is kept waiting by its going. */
	static const struct {
		const char *answer;
		bool drain, leave;
	} cases[] = {
		{"{\"Drain\":true,\"Shown\":true,\"Stage\":0,\"SiblingsServe\":true,\"OthersServe\":true}", true, true},
		{"{\"Drain\":true,\"Shown\":true,\"Stage\":0,\"SiblingsServe\":true,\"OthersServe\":false}", true, true},
		{"{\"Drain\":true,\"Shown\":true,\"Stage\":0,\"SiblingsServe\":false,\"OthersServe\":true}", true, false},
		{"{\"Drain\":true,\"Shown\":true,\"Stage\":1,\"SiblingsServe\":false,\"OthersServe\":true}", true, false},
		{"{\"Drain\":true,\"Shown\":true,\"Stage\":2,\"SiblingsServe\":false,\"OthersServe\":true}", true, true},
		{"{\"Drain\":true,\"Shown\":false,\"Stage\":0,\"SiblingsServe\":false,\"OthersServe\":true}", true, true},
		/* The last one of all serves on, and waits for nobody when its process ends. */
		{"{\"Drain\":true,\"Shown\":true,\"Stage\":0,\"SiblingsServe\":false,\"OthersServe\":false}", false, true},
		{"{\"Drain\":false,\"Shown\":true,\"Stage\":0,\"SiblingsServe\":false,\"OthersServe\":true}", false, false},
		{"{\"Drain\":1,\"Shown\":true,\"SiblingsServe\":true,\"OthersServe\":true}", false, true},
		{"{\"Drain\":\"true\",\"Shown\":true,\"SiblingsServe\":\"true\",\"OthersServe\":true}", false, false},
		{"{\"Drain\":true,\"Shown\":true,\"Stage\":\"2\",\"SiblingsServe\":false,\"OthersServe\":true}", true, false},
		{"{\"Drain\":true,\"Shown\":true,\"Stage\":-2,\"SiblingsServe\":false,\"OthersServe\":true}", true, false},
		{"{}", false, true},
	};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct told *t = told_of(cases[i].answer);
		if (t->drain != cases[i].drain || t->leave != cases[i].leave)
			fail_msg("%s: drain %d, leave %d", cases[i].answer, t->drain, t->leave);
		told_drop(&t);
	}
}

static void siblings_are_read(void **state)
{
	static const struct {
		const char *answer;
		unsigned count, port;
		const char *ip4, *ip6, *cert_name;
		bool insecure;
	} cases[] = {
		{SIBLING(""), 1, 443, "", "", "", false},
		{SIBLING(",\"CertName\":\"c\",\"IPv4\":\"192.0.2.1\",\"IPv6\":\"2001:db8::1\",\"DERPPort\":8443,\"InsecureForTests\":true"), 1, 8443,
		 "192.0.2.1", "2001:db8::1", "c", true},
		{SIBLING(",\"IPv4\":\"none\",\"IPv6\":\"\",\"DERPPort\":0"), 1, 443, "", "", "", false},
		{SIBLING(",\"IPv4\":\"2001:db8::1\",\"IPv6\":\"192.0.2.1\""), 1, 443, "", "", "", false},
		{SIBLING(",\"IPv4\":7,\"IPv6\":[],\"DERPPort\":\"8443\",\"CertName\":{},\"InsecureForTests\":1"), 1, 443, "", "", "", false},
		{SIBLING(",\"DERPPort\":65535"), 1, 65535, "", "", "", false},
		{SIBLING(",\"DERPPort\":65536"), 1, 443, "", "", "", false},
		{SIBLING(",\"DERPPort\":-1"), 1, 443, "", "", "", false},
		{SIBLING(",\"DERPPort\":8443.0"), 1, 443, "", "", "", false},
		{SIBLING(",\"CertName\":\"c\\u0000d\""), 1, 443, "", "", "", false},
		{"{\"Siblings\":[{\"Name\":\"b\"},{\"HostName\":\"h\"},{\"Name\":7,\"HostName\":\"h\"},{\"Name\":\"\",\"HostName\":\"h\"},7,null,[]]}", 0, 0,
		 "", "", "", false},
		{"{\"Siblings\":[{\"Name\":\"b\",\"HostName\":\"h\\u0000i\"}]}", 0, 0, "", "", "", false},
		/* A name goes into a request's head as it is. */
		{"{\"Siblings\":[{\"Name\":\"b\",\"HostName\":\"h\\r\\nX: y\"}]}", 0, 0, "", "", "", false},
		{"{\"Siblings\":[{\"Name\":\"b\",\"HostName\":\"h i\"}]}", 0, 0, "", "", "", false},
		{"{\"Siblings\":{\"Name\":\"b\",\"HostName\":\"h\"}}", 0, 0, "", "", "", false},
		{"{\"Siblings\":null}", 0, 0, "", "", "", false},
	};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct told *t = told_of(cases[i].answer);
		char ip4[IP_TEXT_MAX], ip6[IP_TEXT_MAX];
		if (t->sibling_count != cases[i].count)
			fail_msg("%s: %zu siblings", cases[i].answer, t->sibling_count);
		if (t->sibling_count) {
			const struct sibling *s = &t->siblings[0];
			ip_format(ip4, s->ip4);
			ip_format(ip6, s->ip6);
			assert_string_equal(s->name, "b");
			assert_string_equal(s->host, "h.example");
			assert_string_equal(ip4, cases[i].ip4);
			assert_string_equal(ip6, cases[i].ip6);
			assert_string_equal(s->cert_name, cases[i].cert_name);
			assert_int_equal(s->port, cases[i].port);
			assert_int_equal(s->insecure_for_tests, cases[i].insecure);
		}
		told_drop(&t);
	}
}

/* One that cannot be read leaves no trace in the one behind it. */
static void bad_siblings_are_left_out(void **state)
{
	(void)state;
	struct told *t = told_of(
		"{\"Siblings\":[{\"Name\":\"long-name\",\"CertName\":\"c\",\"InsecureForTests\":true,\"DERPPort\":7},{\"Name\":\"b\",\"HostName\":\"h\"},"
		"{\"Name\":\"c\"},{\"Name\":\"d\",\"HostName\":\"i\"}]}");
	struct told *alone = told_of("{\"Siblings\":[{\"Name\":\"b\",\"HostName\":\"h\"}]}");
	assert_int_equal(t->sibling_count, 2);
	assert_memory_equal(&t->siblings[0], &alone->siblings[0], sizeof *t->siblings);
	assert_string_equal(t->siblings[1].name, "d");
	told_drop(&t);
	told_drop(&alone);
}

static json_t *text_of(size_t len)
{
	char text[300];
	memset(text, 'x', len);
	return json_stringn(text, len);
}

static void texts_have_caps(void **state)
{
	static const struct {
		const char *name;
		size_t most;
		size_t at; /* where it is kept */
	} cases[] = {{"Name", TOLD_NAME_MAX, offsetof(struct sibling, name)},
		     {"HostName", TOLD_HOST_MAX, offsetof(struct sibling, host)},
		     {"CertName", TOLD_HOST_MAX, offsetof(struct sibling, cert_name)}};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		for (size_t more = 0; more < 2; more++) {
			json_t *answer = json_pack("{s:[{s:s,s:s}]}", "Siblings", "Name", "b", "HostName", "h");
			json_t *sibling = json_array_get(json_object_get(answer, "Siblings"), 0);
			json_object_set_new(sibling, cases[i].name, text_of(cases[i].most + more));
			struct told *t = told_new(answer);
			/* A sibling without a name or a host is none. */
			assert_int_equal(t->sibling_count, !more || i == 2);
			if (t->sibling_count)
				assert_int_equal(strlen((char *)&t->siblings[0] + cases[i].at), more ? 0 : cases[i].most);
			told_drop(&t);
			json_decref(answer);
		}
	}
}

static void lists_have_caps(void **state)
{
	static const struct {
		size_t siblings, rechecks, want_siblings, want_rechecks;
		bool all;
	} cases[] = {{0, 0, 0, 0, false},
		     {TOLD_SIBLINGS_MAX, TOLD_RECHECKS_MAX, TOLD_SIBLINGS_MAX, TOLD_RECHECKS_MAX, false},
		     {TOLD_SIBLINGS_MAX + 1, TOLD_RECHECKS_MAX + 1, TOLD_SIBLINGS_MAX, 0, true}};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		json_t *answer = json_object(), *siblings = json_array(), *rechecks = json_array();
		for (size_t k = 0; k < cases[i].siblings; k++)
			json_array_append_new(siblings, json_pack("{s:s,s:s}", "Name", "b", "HostName", "h"));
		for (size_t k = 0; k < cases[i].rechecks; k++)
			json_array_append_new(rechecks, json_string(ONE));
		json_object_set_new(answer, "Siblings", siblings);
		json_object_set_new(answer, "Rechecks", rechecks);
		struct told *t = told_new(answer);
		assert_int_equal(t->sibling_count, cases[i].want_siblings);
		assert_int_equal(t->recheck_count, cases[i].want_rechecks);
		/* Too many to name them: nobody is forgotten. */
		assert_int_equal(t->recheck_all, cases[i].all);
		told_drop(&t);
		json_decref(answer);
	}
}

static void rechecks_are_read(void **state)
{
	static const struct {
		const char *answer;
		unsigned count;
		bool all;
		uint64_t from;
	} cases[] = {
		{"{\"RechecksFrom\":4712,\"RecheckAll\":false,\"Rechecks\":[\"" ONE "\",\"" TWO "\"]}", 2, false, 4712},
		{"{\"RechecksFrom\":9223372036854775807,\"RecheckAll\":true,\"Rechecks\":[]}", 0, true, INT64_MAX},
		{"{\"RechecksFrom\":-1,\"RecheckAll\":1,\"Rechecks\":\"" ONE "\"}", 0, false, 0},
		{"{\"RechecksFrom\":\"1\",\"Rechecks\":[7,null,\"\",\"11\",\"" ONE "1\",\"nodekey:" ONE "\",[\"" ONE "\"],\"" TWO "\"]}", 1, false, 0},
	};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct told *t = told_of(cases[i].answer);
		assert_int_equal(t->recheck_count, cases[i].count);
		assert_int_equal(t->recheck_all, cases[i].all);
		assert_int_equal(t->rechecks_from, cases[i].from);
		if (t->recheck_count) {
			assert_int_equal(t->rechecks[t->recheck_count - 1].raw[0], 0xab);
			assert_int_equal(t->rechecks[t->recheck_count - 1].raw[31], 0x22);
		}
		told_drop(&t);
	}
}

static void rates_are_read(void **state)
{
	static const struct {
		const char *answer;
		uint64_t rate, burst, tailnet_rate, tailnet_burst;
	} cases[] = {
		{"{\"ClientBytesPerSecond\":125000,\"ClientBurstBytes\":250000}", 125000, 250000, 0, 0},
		{"{\"TailnetBytesPerSecond\":125000,\"TailnetBurstBytes\":250000}", 0, 0, 125000, 250000},
		{"{\"ClientBytesPerSecond\":0,\"ClientBurstBytes\":0}", 0, 0, 0, 0},
		{"{\"ClientBytesPerSecond\":-5,\"ClientBurstBytes\":\"7\",\"TailnetBytesPerSecond\":-5,\"TailnetBurstBytes\":\"7\"}", 0, 0, 0, 0},
		{"{\"ClientBytesPerSecond\":1.5,\"ClientBurstBytes\":true,\"TailnetBytesPerSecond\":1.5,\"TailnetBurstBytes\":true}", 0, 0, 0, 0},
	};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct told *t = told_of(cases[i].answer);
		assert_int_equal(t->client_rate, cases[i].rate);
		assert_int_equal(t->client_burst, cases[i].burst);
		assert_int_equal(t->tailnet_rate, cases[i].tailnet_rate);
		assert_int_equal(t->tailnet_burst, cases[i].tailnet_burst);
		told_drop(&t);
	}
}

static void mesh_keys_are_known(void **state)
{
	static const struct {
		const char *answer;
		bool one, two;
	} cases[] = {
		{"{\"MeshKey\":\"" ONE "\",\"MeshKeyBefore\":\"" TWO "\"}", true, true},
		{"{\"MeshKey\":\"" ONE "\",\"MeshKeyBefore\":\"\"}", true, false},
		{"{\"MeshKey\":\"\",\"MeshKeyBefore\":\"" TWO "\"}", false, true},
		{"{\"MeshKey\":\"" ZERO "\",\"MeshKeyBefore\":\"" TWO "\"}", false, true},
		{"{\"MeshKey\":\"" ZERO "\",\"MeshKeyBefore\":\"" ZERO "\"}", false, false},
		{"{\"MeshKey\":\"" ONE "1\",\"MeshKeyBefore\":7}", false, false},
		{"{}", false, false},
	};
	uint8_t one[KEY_LEN], two[KEY_LEN], zero[KEY_LEN] = {0};
	(void)state;
	memset(one, 0x11, sizeof one);
	memset(two, 0x11, sizeof two);
	two[0] = 0xab, two[1] = 0xcd, two[2] = 0xef, two[31] = 0x22;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct told *t = told_of(cases[i].answer);
		assert_int_equal(t->mesh_key_count, cases[i].one + cases[i].two);
		assert_int_equal(told_is_mesh_key(t, one), cases[i].one);
		assert_int_equal(told_is_mesh_key(t, two), cases[i].two);
		assert_false(told_is_mesh_key(t, zero));
		told_drop(&t);
	}
	assert_false(told_is_mesh_key(NULL, one));
}

static void the_last_reference_ends_it(void **state)
{
	(void)state;
	struct told *first = told_of("{\"MeshKey\":\"" ONE "\"}"), *second = told_take(first), *none = NULL;
	assert_ptr_equal(first, second);
	told_drop(&first);
	assert_null(first);
	assert_int_equal(second->mesh_key_count, 1);
	told_drop(&second);
	told_drop(&none);
	assert_null(none);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wishes),          cmocka_unit_test(siblings_are_read),   cmocka_unit_test(bad_siblings_are_left_out),
		cmocka_unit_test(texts_have_caps), cmocka_unit_test(lists_have_caps),     cmocka_unit_test(rechecks_are_read),
		cmocka_unit_test(rates_are_read),  cmocka_unit_test(mesh_keys_are_known), cmocka_unit_test(the_last_reference_ends_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
