/* A runner that finds no difference proves nothing: each change of an answer must be one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "answer.h"
#include "compare.h"

static const char made_up[] =
	"{'policy': '{\\'tagOwners\\': {\\'tag:s\\': [], \\'tag:r\\': []}, \\'autoApprovers\\': {\\'routes\\': {\\'10.0.0.0/8\\': [\\'tag:r\\']}},"
	" \\'grants\\': [{\\'src\\': [\\'ann@example.com\\'], \\'dst\\': [\\'tag:s\\', \\'10.1.0.0/16\\'], \\'ip\\': [\\'tcp:22\\', \\'53\\'],"
	" \\'app\\': {\\'example.com/x\\': [1]}}], \\'nodeAttrs\\': [{\\'target\\': [\\'*\\'], \\'attr\\': [\\'a\\']}],"
	" \\'ssh\\': [{\\'action\\': \\'accept\\', \\'src\\': [\\'ann@example.com\\'], \\'dst\\': [\\'tag:s\\'], \\'users\\': [\\'root\\']}]}',"
	" 'settings': {'associated_domains': []}, 'users': [{'id': 1, 'name': 'ann', 'email': 'ann@example.com', 'roles': []}],"
	" 'nodes': {'a': {'user': 'ann', 'ipv4': '100.64.0.1', 'ipv6': 'fd7a:115c:a1e0::1'},"
	"  's': {'tags': ['tag:s'], 'ipv4': '100.64.0.3', 'ipv6': 'fd7a:115c:a1e0::3'},"
	"  'r': {'tags': ['tag:r'], 'ipv4': '100.64.0.5', 'ipv6': 'fd7a:115c:a1e0::5', 'routable_ips': ['10.1.0.0/16'], 'approved_routes': ['10.1.0.0/16']}},"
	" 'asserts': ['status', 'error', 'approved_routes', 'packet_filter', 'peers', 'allowed_ips', 'self', 'ssh_rules', 'cap_map'],"
	" 'packet_filter_compare': 'exact', 'status': 200, 'error': null}";

static json_t *made(void)
{
	char *text = strdup(made_up);
	for (char *at = text; *at; at++)
		if (*at == '\'')
			*at = '"';
	json_t *json = json_loads(text, 0, NULL);
	free(text);
	assert_non_null(json);
	return json;
}

static json_t *answered(struct arena *arena, json_t *recorded)
{
	struct recorded read;
	struct diag why;
	assert_int_equal(recorded_read(arena, recorded, &read, &why), ERR_NONE);
	return answer_of(arena, &read);
}

/* Replaces the value at a path of member names and numbers; "-" takes it away. */
static void put(json_t *root, const char *path, const char *value)
{
	char *text = strdup(path), *part = text, *next;
	while ((next = strchr(part, '|'))) {
		*next = 0;
		root = json_is_array(root) ? json_array_get(root, (size_t)atoi(part)) : json_object_get(root, part);
		assert_non_null(root);
		part = next + 1;
	}
	json_t *now = strcmp(value, "-") ? json_loads(value, JSON_DECODE_ANY, NULL) : NULL;
	if (json_is_array(root) && now)
		assert_int_equal(json_array_set_new(root, (size_t)atoi(part), now), 0);
	else if (json_is_array(root))
		assert_int_equal(json_array_remove(root, (size_t)atoi(part)), 0);
	else if (now)
		assert_int_equal(json_object_set_new(root, part, now), 0);
	else
		assert_int_equal(json_object_del(root, part), 0);
	free(text);
}

static const struct {
	const char *path, *value;
} changes[] = {
	{"status", "400"},
	{"error", "\"no\""},
	{"approved_routes|r", "[]"},
	{"expect|s|packet_filter", "[]"},
	{"expect|s|packet_filter|0|SrcIPs|0", "\"*\""},
	{"expect|s|packet_filter|0|DstPorts|0|Ports|Last", "23"},
	{"expect|s|packet_filter|0|DstPorts|1", "-"},
	{"expect|s|packet_filter|0|IPProto", "[17]"},
	{"expect|s|packet_filter|2|CapGrant|0|CapMap|example.com/x", "[2]"},
	{"expect|s|packet_filter|2|CapGrant|0|Dsts|0", "\"100.64.0.4/32\""},
	{"expect|a|peers|s", "-"},
	{"expect|s|peers|r", "{\"allowed_ips\": []}"},
	{"expect|a|peers|r|allowed_ips|2", "-"},
	{"expect|a|peers|r|primary_routes", "[]"},
	{"expect|a|peers|r|addresses|0", "-"},
	{"expect|a|peers|r|cap_map", "{\"suggest-exit-node\": null}"},
	{"expect|r|self|allowed_ips|2", "-"},
	{"expect|r|self|primary_routes", "[]"},
	{"expect|r|self|addresses|1", "-"},
	{"expect|a|self|cap_map|a", "-"},
	{"expect|a|self|cap_map|b", "null"},
	{"expect|s|ssh_rules", "[]"},
	{"expect|s|ssh_rules|0|principals|0", "-"},
	{"expect|s|ssh_rules|0|sshUsers|root", "\"\""},
	{"expect|s|ssh_rules|0|action|accept", "-"},
};

static void each_change_is_a_difference(void **state)
{
	struct arena *arena = arena_new();
	json_t *recorded = made(), *answer = answered(arena, recorded);
	char difference[DIFFERENCE_MAX];
	(void)state;
	assert_int_equal(json_integer_value(json_object_get(answer, "status")), 200);
	json_object_set(recorded, "expect", json_object_get(answer, "expect"));
	if (!compare_case(recorded, answer, difference))
		fail_msg("%s", difference);
	for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
		json_t *changed = json_deep_copy(answer);
		put(changed, changes[i].path, changes[i].value);
		if (compare_case(recorded, changed, difference))
			fail_msg("not found: %s", changes[i].path);
		json_decref(changed);
	}
	json_decref(answer);
	json_decref(recorded);
	arena_free(&arena);
}

static void what_is_no_case_is_refused(void **state)
{
	static const char *const members[] = {"policy", "users", "nodes"};
	(void)state;
	for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
		struct arena *arena = arena_new();
		struct recorded read;
		struct diag why;
		json_t *recorded = made();
		json_object_set_new(recorded, members[i], json_integer(7));
		assert_int_equal(recorded_read(arena, recorded, &read, &why), ERR_MALFORMED);
		json_decref(recorded);
		arena_free(&arena);
	}
}

static const struct {
	const char *path, *value;
} blind[] = {
	{"asserts", "-"},
	{"asserts", "[]"},
	{"asserts", "\"peers\""},
	{"asserts|3", "\"packet-filter\""},
	{"asserts|3", "7"},
	{"status", "-"},
	{"status", "\"200\""},
	{"expect", "null"},
	{"expect", "{}"},
	{"packet_filter_compare", "-"},
	{"packet_filter_compare", "\"loose\""},
};

static void what_cannot_be_compared_fails(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof blind / sizeof *blind; i++) {
		struct arena *arena = arena_new();
		json_t *recorded = made(), *answer = answered(arena, recorded);
		char difference[DIFFERENCE_MAX];
		json_object_set(recorded, "expect", json_object_get(answer, "expect"));
		put(recorded, blind[i].path, blind[i].value);
		if (compare_case(recorded, answer, difference))
			fail_msg("passed: %s = %s", blind[i].path, blind[i].value);
		assert_int_equal(strncmp(difference, "not a case: ", 12), 0);
		json_decref(answer);
		json_decref(recorded);
		arena_free(&arena);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(each_change_is_a_difference), cmocka_unit_test(what_cannot_be_compared_fails),
					   cmocka_unit_test(what_is_no_case_is_refused)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
