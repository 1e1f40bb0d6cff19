#include "hujson.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static enum err parse(struct arena *arena, const char *text, struct json *root, struct diag *why)
{
	*why = (struct diag){0};
	return hujson_parse(arena, bytes_text(text), root, why);
}

static void texts_become_their_compact_form(void **state)
{
	(void)state;
	static const struct {
		const char *text, *compact;
	} cases[] = {
		{"null", "null"},
		{" true\n", "true"},
		{"false // the end without a newline", "false"},
		{"-0.5e+10", "-0.5e+10"},
		{"0", "0"},
		{"[]", "[]"},
		{"{}", "{}"},
		{"[1,]", "[1]"},
		{"[1, 2 , ]", "[1,2]"},
		{"{\"a\": 1,}", "{\"a\":1}"},
		{"/* a */ { // b\n \"x\" /* c */ : /**/ [ /***/ 1 /* , */ , // d\n ] /* e */, } /* f */", "{\"x\":[1]}"},
		{"{\"b\": 1, \"a\": {\"c\": null}}", "{\"b\":1,\"a\":{\"c\":null}}"},
		{"\"a // b /* c */\"", "\"a // b /* c */\""},
		{"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\\"\\\\/\\u0008\\u000c\\u000a\\u000d\\u0009\""},
		{"\"\\u0041\\u00e9\\u20AC\\ud83d\\ude00\"", "\"A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\""},
		{"\"\xd1\x81\"", "\"\xd1\x81\""},
	};
	struct arena *arena = arena_new();
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct json root;
		struct diag why;
		if (parse(arena, cases[i].text, &root, &why))
			fail_msg("%s: %s", cases[i].text, why.text);
		assert_string_equal((const char *)hujson_compact(arena, &root).at, cases[i].compact);
	}
	arena_free(&arena);
}

static void faults_say_where(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		unsigned line, column;
	} cases[] = {
		{"[1,,]", 1, 4},
		{"[,]", 1, 2},
		{"{,}", 1, 2},
		{"[1 2]", 1, 4},
		{"[1", 1, 3},
		{"[", 1, 2},
		{"{\"a\" 1}", 1, 6},
		{"{\"a\":}", 1, 6},
		{"{\"a\":1", 1, 7},
		{"{a: 1}", 1, 2},
		{"{'a': 1}", 1, 2},
		{"{\n  \"a\": 1,\n  \"b\": 2,\n  \"a\": 3\n}", 4, 3},
		{"[1]\n\n  [2]", 3, 3},
		{"nul", 1, 1},
		{"True", 1, 1},
		{"01", 1, 1},
		{"[1.]", 1, 2},
		{"-", 1, 1},
		{"1e", 1, 1},
		{"+1", 1, 1},
		{"NaN", 1, 1},
		{"\"abc", 1, 1},
		{"\n\"a\nb\"", 2, 3},
		{"\"\\x\"", 1, 3},
		{"\"\\u12g4\"", 1, 6},
		{"\"\\ud800\"", 1, 8},
		{"\"\\udc00\"", 1, 8},
		{"\"\\ud800\\u0041\"", 1, 14},
		{"\"\\", 1, 1},
		{"[1] /* never ends", 1, 5},
		{"[1] /", 1, 5},
		{"# no", 1, 1},
		{"\n\"\xff\"", 2, 2},
		{"\"\xc0\x80\"", 1, 2},
		{"\"\xed\xa0\x80\"", 1, 2},
		{"// \xff\n1", 1, 4},
	};
	struct arena *arena = arena_new();
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct json root;
		struct diag why;
		if (parse(arena, cases[i].text, &root, &why) != ERR_MALFORMED)
			fail_msg("%s was taken", cases[i].text);
		if (why.line != cases[i].line || why.column != cases[i].column || !why.text[0])
			fail_msg("%s: %u:%u %s", cases[i].text, why.line, why.column, why.text);
	}
	arena_free(&arena);
}

static void nothing_is_not_found(void **state)
{
	(void)state;
	static const char *const cases[] = {"", " \n\t", "// a comment", "/* a comment */\n"};
	struct arena *arena = arena_new();
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct json root;
		struct diag why;
		assert_int_equal(parse(arena, cases[i], &root, &why), ERR_NOT_FOUND);
	}
	arena_free(&arena);
}

/* A document cut anywhere is refused, with a place inside it or at its end. */
static void cut_short_is_refused(void **state)
{
	(void)state;
	static const char text[] = "{\"a\": [1, \"b\\u00e9\", {\"c\": null,},], /* d */ \"e\": -1.5e3}";
	struct arena *arena = arena_new();
	for (size_t len = 1; len < sizeof text - 1; len++) {
		struct json root;
		struct diag why = {0};
		assert_int_equal(hujson_parse(arena, bytes_of(text, len), &root, &why), ERR_MALFORMED);
		assert_int_equal(why.line, 1);
		assert_in_range(why.column, 1, len + 1);
	}
	arena_free(&arena);
}

static void values_know_their_place(void **state)
{
	(void)state;
	struct arena *arena = arena_new();
	struct json root;
	struct diag why;
	assert_int_equal(parse(arena, "{\n  \"One\": [1,\n    \"two\"],\n}", &root, &why), ERR_NONE);
	assert_int_equal(root.at.line, 1);
	assert_int_equal(root.at.column, 1);
	assert_int_equal(root.end.line, 4);
	assert_int_equal(root.end.column, 1);
	assert_int_equal(root.members[0].at.line, 2);
	assert_int_equal(root.members[0].at.column, 3);
	const struct json *list = hujson_find(&root, "oNE");
	assert_non_null(list);
	assert_int_equal(list->at.column, 10);
	assert_int_equal(list->end.line, 3);
	assert_int_equal(list->end.column, 10);
	assert_true(bytes_equal_text(list->source, "[1,\n    \"two\"]"));
	assert_int_equal(list->items[1].at.column, 5);
	assert_int_equal(list->items[1].end.column, 9);
	assert_true(bytes_equal_text(list->items[1].text, "two"));
	arena_free(&arena);
}

static void null_is_absent(void **state)
{
	(void)state;
	struct arena *arena = arena_new();
	struct json root;
	struct diag why;
	assert_int_equal(parse(arena, "{\"a\": null, \"b\": 0}", &root, &why), ERR_NONE);
	assert_null(hujson_find(&root, "a"));
	assert_null(hujson_find(&root, "c"));
	assert_non_null(hujson_find(&root, "B"));
	arena_free(&arena);
}

static struct bytes repeated(struct arena *arena, const char *piece, size_t count)
{
	size_t len = strlen(piece);
	uint8_t *out = arena_alloc(arena, len * count);
	for (size_t i = 0; i < count; i++)
		memcpy(out + i * len, piece, len);
	return bytes_of(out, len * count);
}

static void depth_is_bounded(void **state)
{
	(void)state;
	struct arena *arena = arena_new();
	for (unsigned depth = HUJSON_DEPTH_MAX - 1; depth <= HUJSON_DEPTH_MAX + 1; depth++) {
		struct json root;
		struct diag why = {0};
		char *text = arena_format(arena, "%.*s%.*s", BYTES_ARG(repeated(arena, "[", depth)), BYTES_ARG(repeated(arena, "]", depth)));
		assert_int_equal(parse(arena, text, &root, &why), depth > HUJSON_DEPTH_MAX ? ERR_MALFORMED : ERR_NONE);
	}
	struct json root;
	struct diag why = {0};
	assert_int_equal(hujson_parse(arena, repeated(arena, "{\"a\":", 2 << 20), &root, &why), ERR_MALFORMED);
	assert_int_equal(why.line, 1);
	assert_int_equal(why.column, 5 * HUJSON_DEPTH_MAX + 1);
	arena_free(&arena);
}

/* 10 MB of what costs most; sanitizers and the time limit of the test judge. */
static void large_texts_end(void **state)
{
	(void)state;
	static const struct {
		const char *piece;
		enum err e;
	} cases[] = {{"/**/", ERR_NOT_FOUND}, {"\n", ERR_NOT_FOUND}, {"\"\\\"", ERR_MALFORMED},
		     {"[],", ERR_MALFORMED},  {"//", ERR_NOT_FOUND}, {"[\"a\",", ERR_MALFORMED}};
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct arena *arena = arena_new();
		struct json root;
		struct diag why = {0};
		struct bytes text = repeated(arena, cases[i].piece, (10 << 20) / strlen(cases[i].piece));
		assert_int_equal(hujson_parse(arena, text, &root, &why), cases[i].e);
		arena_free(&arena);
	}
}

/* The list itself is a value too. */
static void values_are_counted(void **state)
{
	(void)state;
	for (size_t items = HUJSON_VALUES_MAX - 1; items <= HUJSON_VALUES_MAX; items++) {
		struct arena *arena = arena_new();
		struct json root;
		struct diag why = {0};
		struct bytes list = repeated(arena, "1,", items);
		char *text = arena_alloc(arena, list.len + 3);
		text[0] = '[';
		memcpy(text + 1, list.at, list.len);
		text[list.len + 1] = ']';
		assert_int_equal(parse(arena, text, &root, &why), items < HUJSON_VALUES_MAX ? ERR_NONE : ERR_TOO_BIG);
		assert_int_equal(why.line, items < HUJSON_VALUES_MAX ? 0 : 1);
		arena_free(&arena);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts_become_their_compact_form),
		cmocka_unit_test(faults_say_where),
		cmocka_unit_test(nothing_is_not_found),
		cmocka_unit_test(cut_short_is_refused),
		cmocka_unit_test(values_know_their_place),
		cmocka_unit_test(null_is_absent),
		cmocka_unit_test(depth_is_bounded),
		cmocka_unit_test(large_texts_end),
		cmocka_unit_test(values_are_counted),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
