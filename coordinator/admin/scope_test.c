#include "scope.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static struct scopes parsed(const char *text)
{
	struct bytes list[SCOPES_MAX], rest = bytes_text(text);
	struct scopes scopes;
	size_t count = 0;

	while (rest.at)
		list[count++] = bytes_split(rest, ' ', &rest);
	assert_int_equal(scopes_parse(list, count, &scopes, NULL), ERR_NONE);
	return scopes;
}

static void test_allowed(void **state)
{
	static const struct {
		const char *scopes;
		enum scope scope;
		bool reads, writes;
	} rows[] = {
		{"all", SCOPE_OPERATOR, true, true},         {"all:read", SCOPE_NODES, true, false},
		{"nodes", SCOPE_NODES, true, true},          {"nodes:read", SCOPE_NODES, true, false},
		{"nodes", SCOPE_USERS, false, false},        {"users:read nodes", SCOPE_USERS, true, false},
		{"all:read users", SCOPE_USERS, true, true}, {"all:read users", SCOPE_SETTINGS, true, false},
		{"audits:read", SCOPE_AUDITS, true, false},  {"operator:read", SCOPE_OPERATOR, true, false},
		{"policy", SCOPE_POLICY, true, true},        {"policy:read", SCOPE_POLICY, true, false},
		{"settings", SCOPE_POLICY, false, false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		assert_int_equal(scopes_allow(parsed(rows[i].scopes), rows[i].scope, false), rows[i].reads);
		assert_int_equal(scopes_allow(parsed(rows[i].scopes), rows[i].scope, true), rows[i].writes);
	}
}

static void test_contained(void **state)
{
	static const struct {
		const char *outer, *inner;
		bool contains;
	} rows[] = {
		{"all", "all", true},          {"all", "nodes users:read", true},  {"all:read", "all", false},     {"all:read", "nodes:read", true},
		{"nodes", "nodes:read", true}, {"nodes:read", "nodes", false},     {"nodes", "users:read", false}, {"nodes apikeys", "apikeys nodes", true},
		{"nodes", "all:read", false},  {"all:read apikeys", "all", false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		assert_int_equal(scopes_contain(parsed(rows[i].outer), parsed(rows[i].inner)), rows[i].contains);
}

static void test_refused(void **state)
{
	static const char *const rows[] = {"", "All", "nodes:write", "audits", "nodes:", ":read", "node", "all "};
	struct bytes many[SCOPES_MAX + 1];
	struct scopes scopes;
	struct diag why;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct bytes name = bytes_text(rows[i]);

		assert_int_equal(scopes_parse(&name, 1, &scopes, &why), ERR_MALFORMED);
	}
	assert_int_equal(scopes_parse(many, 0, &scopes, &why), ERR_MALFORMED);
	for (size_t i = 0; i < COUNT_OF(many); i++)
		many[i] = BYTES("all");
	assert_int_equal(scopes_parse(many, COUNT_OF(many), &scopes, &why), ERR_MALFORMED);
}

/* Each name that scope_name gives is one that scopes_parse takes. */
static void test_names(void **state)
{
	(void)state;
	for (unsigned i = 0; i < SCOPE_COUNT; i++)
		for (int writes = 0; writes < 2; writes++)
			assert_true(scopes_allow(parsed(scope_name(i, writes)), i, writes && i != SCOPE_AUDITS));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_allowed), cmocka_unit_test(test_contained), cmocka_unit_test(test_refused),
					   cmocka_unit_test(test_names)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
