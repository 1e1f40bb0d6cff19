#include "yamlw.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "yamlback.h"

static struct buffer out;

static const char *written(const char *json)
{
	json_t *value = json_loads(json, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);

	assert_non_null(value);
	buffer_init(&out, 1 << 20);
	assert_int_equal(yamlw_write(value, &out), ERR_NONE);
	json_decref(value);
	assert_int_equal(buffer_add_byte(&out, 0), ERR_NONE);
	return (const char *)out.at;
}

static void test_looks(void **state)
{
	static const struct {
		const char *json, *yaml;
	} rows[] = {
		{"{\"id\":\"7\",\"name\":\"zoe\",\"tags\":[],\"none\":null,\"on\":true}", "id: \"7\"\nname: zoe\ntags: []\nnone: null\n\"on\": true\n"},
		{"[{\"a\":1,\"b\":{\"c\":[1,2.5]}},{}]", "- a: 1\n  b:\n    c:\n    - 1\n    - 2.5\n- {}\n"},
		{"\"\"", "\"\"\n"},
		{"[1e20,0.5,-3,1.0]", "- 1.0e+20\n- 0.5\n- -3\n- 1.0\n"},
		{"{\"paths\":{\"/api/v1/node/{nodeId}\":{\"get\":{}}}}", "paths:\n  \"/api/v1/node/{nodeId}\":\n    get: {}\n"},
		{"[\"2026-11-21T06:00:00Z\",\"a: b\",\"- x\",\"two\\nlines\",\"no\",\"~\",\"0x1f\"]",
		 "- \"2026-11-21T06:00:00Z\"\n- \"a: b\"\n- \"- x\"\n- \"two\\nlines\"\n- \"no\"\n- \"~\"\n- \"0x1f\"\n"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		assert_string_equal(written(rows[i].json), rows[i].yaml);
		buffer_clear(&out);
	}
}

static void test_comes_back(void **state)
{
	static const char *const rows[] = {
		"null",
		"true",
		"-9223372036854775808",
		"[0.1,1e-7,123456789.25,1e300]",
		"\"\\u0000\\u0001\\u007f\\u0085\\u2028\\ufeff\\ufffe \\ud83d\\ude00 tab\\t quote\\\" back\\\\ #x\"",
		("[\"null\",\"Null\",\"NO\",\"y\",\"=\",\"<<\",\".inf\",\"1:30\",\"1_000\",\"0o7\",\"?\",\":\",\"-\",\"---\",\"...\",\"%x\",\"@x\",\"`x\",\"!"
		 "x\",\"&x\",\"*x\",\"|\",\">\",\" x \"]"),
		"{\"\":{\"\":[[],{},[[]]]},\"true\":1,\"1\":2,\"a b\":\"\\n\\n\",\"x:\":\"y #z\"}",
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		json_t *value = json_loads(rows[i], JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL), *back;

		assert_non_null(value);
		written(rows[i]);
		back = yamlback_read(bytes_take(buffer_bytes(&out), out.len - 1));
		assert_true(json_equal(value, back));
		json_decref(back);
		json_decref(value);
		buffer_clear(&out);
	}
}

static void test_long_names(void **state)
{
	char name[5000] = "";
	json_t *value = json_object(), *back;

	(void)state;
	memset(name, 'k', sizeof name - 1);
	json_object_set_new(value, name, json_pack("{s:i}", "a", 1));
	buffer_init(&out, 1 << 20);
	assert_int_equal(yamlw_write(value, &out), ERR_NONE);
	back = yamlback_read(buffer_bytes(&out));
	assert_true(json_equal(value, back));
	json_decref(back);
	json_decref(value);
	buffer_clear(&out);
}

static void test_caps(void **state)
{
	json_t *value = json_pack("[s,s]", "twelve bytes", "and more"), *deep = json_array();

	(void)state;
	buffer_init(&out, 16);
	assert_int_equal(yamlw_write(value, &out), ERR_TOO_BIG);
	buffer_clear(&out);
	json_decref(value);
	for (int i = 0; i < YAMLW_DEPTH_MAX + 1; i++)
		deep = json_pack("[o]", deep);
	buffer_init(&out, 64 << 20);
	assert_int_equal(yamlw_write(deep, &out), ERR_TOO_BIG);
	buffer_clear(&out);
	json_decref(deep);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_looks), cmocka_unit_test(test_comes_back), cmocka_unit_test(test_long_names),
					   cmocka_unit_test(test_caps)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
