/* The documents and the route table tell the same; the other forms of the documents stand. */
#include "openapi.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "guard.h"
#include "openapi_form.h"
#include "routes.h"

static json_t *documents[2];
static const char *const prefixes[] = {"/api/v1/", "/api/fleetscale/v1/"};

static int set_up(void **state)
{
	json_error_t error;

	(void)state;
	for (int i = 0; i < 2; i++) {
		documents[i] = json_loads(i ? openapi_fleetscale_source : openapi_v1_source, JSON_REJECT_DUPLICATES, &error);
		if (!documents[i])
			fail_msg("document %d, line %d: %s", i, error.line, error.text);
	}
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	json_decref(documents[0]);
	json_decref(documents[1]);
	return 0;
}

static const char *scope_of(const struct route *route)
{
	static const struct {
		void (*guard)(struct exchange *);
		const char *scope;
	} rows[] = {
		{guard_any, "any"},
		{guard_nodes, "nodes"},
		{guard_nodes_read, "nodes:read"},
		{guard_users, "users"},
		{guard_users_read, "users:read"},
		{guard_authkeys, "authkeys"},
		{guard_authkeys_read, "authkeys:read"},
		{guard_apikeys, "apikeys"},
		{guard_apikeys_read, "apikeys:read"},
		{guard_settings, "settings"},
		{guard_settings_read, "settings:read"},
		{guard_policy, "policy"},
		{guard_policy_read, "policy:read"},
		{guard_audits_read, "audits:read"},
		{guard_operator, "operator"},
		{guard_operator_read, "operator:read"},
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++)
		if (rows[i].guard == route->guard)
			return rows[i].scope;
	return NULL;
}

static const char *method_of(const struct route *route)
{
	static const char *const names[] = {
		[METHOD_GET] = "get", [METHOD_POST] = "post", [METHOD_PUT] = "put", [METHOD_PATCH] = "patch", [METHOD_DELETE] = "delete"};

	return names[route->method];
}

static void test_every_route_is_described(void **state)
{
	unsigned counts[2] = {0};

	(void)state;
	for (const struct route *r = coordinator_routes; r->path; r++) {
		int which = strncmp(r->path, prefixes[1], strlen(prefixes[1])) == 0;
		const json_t *operation;
		const char *scope;

		if (r->handler == openapi_serve || strncmp(r->path, "/api/", 5) != 0)
			continue;
		operation = json_object_get(json_object_get(json_object_get(documents[which], "paths"), r->path), method_of(r));
		if (!operation)
			fail_msg("%s %s is in no document", method_of(r), r->path);
		scope = scope_of(r);
		if (!scope || strcmp(scope, json_string_value(json_object_get(operation, "x-required-scope"))) != 0)
			fail_msg("%s %s: the scope is %s", method_of(r), r->path, scope ? scope : "unknown");
		counts[which]++;
	}
	for (int i = 0; i < 2; i++) {
		const char *path;
		json_t *methods;

		json_object_foreach(json_object_get(documents[i], "paths"), path, methods)
		{
			counts[i] -= (unsigned)json_object_size(methods);
		}
		assert_int_equal(counts[i], 0);
	}
}

/* Every {name} of a path is a parameter of its operations. */
static void test_path_parameters_are_described(void **state)
{
	const char *path, *method;
	json_t *methods, *operation;

	(void)state;
	for (int i = 0; i < 2; i++) {
		json_object_foreach(json_object_get(documents[i], "paths"), path, methods)
		{
			json_object_foreach(methods, method, operation)
			{
				const json_t *parameters = json_object_get(operation, "parameters");
				unsigned wanted = 0, found = 0;
				char braced[80];

				for (const char *at = path; (at = strchr(at, '{')); at++)
					wanted++;
				for (size_t j = 0; j < json_array_size(parameters); j++) {
					const json_t *one = json_array_get(parameters, j);
					const char *name = json_string_value(json_object_get(one, "name"));

					snprintf(braced, sizeof braced, "{%s}", name ? name : "");
					found += name && strstr(path, braced) != NULL;
				}
				if (wanted != found)
					fail_msg("%s %s: %u parameters in the path, %u described", method, path, wanted, found);
			}
		}
	}
}

/* References that lead nowhere. */
static void check_refs(const json_t *document, const json_t *value)
{
	const char *name;
	json_t *member;

	if (json_is_array(value)) {
		for (size_t i = 0; i < json_array_size(value); i++)
			check_refs(document, json_array_get(value, i));
		return;
	}
	json_object_foreach((json_t *)value, name, member)
	{
		if (strcmp(name, "$ref") == 0) {
			char copy[200], *at, *rest = copy;
			const json_t *found = document;

			snprintf(copy, sizeof copy, "%s", json_string_value(member) + 2);
			while ((at = strsep(&rest, "/")))
				found = json_object_get(found, at);
			if (!found)
				fail_msg("%s leads nowhere", json_string_value(member));
		}
		check_refs(document, member);
	}
}

static bool has_null_type(const json_t *value)
{
	const char *name;
	json_t *member;

	if (json_is_array(value)) {
		for (size_t i = 0; i < json_array_size(value); i++)
			if (has_null_type(json_array_get(value, i)))
				return true;
		return false;
	}
	json_object_foreach((json_t *)value, name, member)
	{
		if (strcmp(name, "type") == 0 && (json_is_array(member) || (json_is_string(member) && strcmp(json_string_value(member), "null") == 0)))
			return true;
		if (has_null_type(member))
			return true;
	}
	return false;
}

static void test_forms(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		json_t *old = openapi_downgrade(documents[i]);
		struct buffer out;

		check_refs(documents[i], documents[i]);
		check_refs(old, old);
		assert_true(has_null_type(documents[i]) && !has_null_type(old));
		assert_string_equal(json_string_value(json_object_get(old, "openapi")), "3.0.3");
		json_decref(old);
		buffer_init(&out, 1 << 20);
		assert_int_equal(openapi_page(documents[i], &out), ERR_NONE);
		assert_int_equal(buffer_add_byte(&out, 0), ERR_NONE);
		assert_non_null(strstr((const char *)out.at, prefixes[i]));
		assert_null(strstr((const char *)out.at, "<script"));
		buffer_clear(&out);
	}
}

static void test_downgrade(void **state)
{
	static const struct {
		const char *from, *to;
	} rows[] = {
		{"{\"type\":[\"string\",\"null\"]}", "{\"type\":\"string\",\"nullable\":true}"},
		{"{\"anyOf\":[{\"$ref\":\"#/x\"},{\"type\":\"null\"}]}", "{\"nullable\":true,\"allOf\":[{\"$ref\":\"#/x\"}]}"},
		{"{\"anyOf\":[{\"type\":\"string\"},{\"type\":[\"integer\",\"null\"]}]}",
		 "{\"anyOf\":[{\"type\":\"string\"},{\"type\":\"integer\",\"nullable\":true}]}"},
		{"{\"type\":[\"string\",\"number\",\"null\"]}", "{\"nullable\":true,\"anyOf\":[{\"type\":\"string\"},{\"type\":\"number\"}]}"},
		{"{\"const\":0}", "{\"enum\":[0]}"},
		{"{\"properties\":{\"type\":{\"type\":\"string\"}}}", "{\"properties\":{\"type\":{\"type\":\"string\"}}}"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		json_t *from = json_loads(rows[i].from, 0, NULL), *to = json_loads(rows[i].to, 0, NULL), *made = openapi_downgrade(from);

		json_object_del(made, "openapi");
		if (!json_equal(made, to))
			fail_msg("%s became %s", rows[i].from, json_dumps(made, 0));
		json_decref(from);
		json_decref(to);
		json_decref(made);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_route_is_described), cmocka_unit_test(test_path_parameters_are_described),
					   cmocka_unit_test(test_forms), cmocka_unit_test(test_downgrade)};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
