#include "jsonr.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const struct jsonr_member inner[] = {{.name = "port", .type = JSONR_INT, .most = 65535}, {0}};
static const struct jsonr_member shape[] = {
	{.name = "text", .type = JSONR_TEXT},
	{.name = "flag", .type = JSONR_BOOL},
	{.name = "count", .type = JSONR_INT, .least = -5, .most = 5},
	{.name = "ratio", .type = JSONR_NUMBER},
	{.name = "texts", .type = JSONR_TEXTS, .most = 2},
	{.name = "ints", .type = JSONR_INTS, .least = 0, .most = 9},
	{.name = "numbers", .type = JSONR_NUMBERS},
	{.name = "one", .type = JSONR_OBJECT, .nested = inner},
	{.name = "many", .type = JSONR_OBJECTS, .nested = inner},
	{0},
};

static enum err read(const char *text, struct diag *why)
{
	json_t *value;
	enum err e = jsonr_parse(bytes_text(text), 100000, &value, why);
	if (e)
		return e;
	e = jsonr_check(value, shape, NULL, why);
	json_decref(value);
	return e;
}

static void names_what_is_wrong(void **state)
{
	(void)state;
	static const struct {
		const char *text, *why;
	} trials[] = {
		{"[]", "the body is not an object"},
		{"null", "the body is not an object"},
		{"{\"text\":1}", "text is not a text"},
		{"{\"flag\":\"true\"}", "flag is not true, false or null"},
		{"{\"flag\":1}", "flag is not true, false or null"},
		{"{\"count\":\"1\"}", "count is not an integer"},
		{"{\"count\":1.0}", "count is not an integer"},
		{"{\"count\":6}", "count is not between -5 and 5"},
		{"{\"count\":-6}", "count is not between -5 and 5"},
		{"{\"ratio\":\"1\"}", "ratio is not a number"},
		{"{\"texts\":{}}", "texts is not an array"},
		{"{\"texts\":[\"a\",2]}", "texts[1] is not a text"},
		{"{\"texts\":[\"a\",\"b\",\"c\"]}", "texts is not within its limit of 2 entries"},
		{"{\"ints\":[0,10]}", "ints[1] is not between 0 and 9"},
		{"{\"numbers\":[]}", "numbers is not an object"},
		{"{\"numbers\":{\"1-v4\":0.5,\"2-v4\":\"x\"}}", "numbers.2-v4 is not a number"},
		{"{\"one\":[]}", "one is not an object"},
		{"{\"one\":{\"port\":65536}}", "one.port is not between 0 and 65535"},
		{"{\"many\":[{},{\"port\":true}]}", "many[1].port is not an integer"},
		{"{\"many\":[[]]}", "many[0] is not an object"},
		{"{\"text\":\"a\\u0000b\"}", "a text holds the character \\u0000, which no name or value here may have"},
		{"{\"a\\u0000b\":1}", "a text holds the character \\u0000, which no name or value here may have"},
	};
	for (size_t i = 0; i < COUNT_OF(trials); i++) {
		struct diag why = {0};
		assert_int_equal(read(trials[i].text, &why), ERR_MALFORMED);
		assert_string_equal(why.text, trials[i].why);
		assert_int_equal(read(trials[i].text, NULL), ERR_MALFORMED);
	}
}

static void takes_what_clients_send(void **state)
{
	(void)state;
	static const char *good[] = {
		"{}",
		"{\"text\":null,\"flag\":null,\"count\":null,\"ratio\":null}",
		"{\"texts\":null,\"ints\":null,\"numbers\":null,\"one\":null,\"many\":null}",
		"{\"texts\":[null,\"a\"],\"many\":[null,{}],\"ratio\":3,\"numbers\":{\"a\":1,\"b\":null}}",
		"{\"unknown\":{\"deep\":[1,2,{}]},\"TEXT\":5}",
		"{\"count\":9,\"count\":1}", /* the last of equal names wins */
	};
	for (size_t i = 0; i < COUNT_OF(good); i++)
		assert_int_equal(read(good[i], NULL), ERR_NONE);
}

static void refuses_what_is_no_json(void **state)
{
	(void)state;
	static const char *bad[] = {"",
				    "{",
				    "{\"a\":1}x",
				    "{\"a\":\"\xff\"}",
				    "{\"a\":9223372036854775808}",
				    "{\"a\":-9223372036854775809}",
				    "{\"a\":1e999}",
				    "{'a':1}",
				    "{\"a\":tru}",
				    "\xef\xbb\xbf{}",
				    "{\"a\":\"\\ud800\"}",
				    "{\"\xc0\x80\":1}"};
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		struct diag why = {0};
		assert_int_equal(read(bad[i], &why), ERR_MALFORMED);
		assert_true(bytes_starts(bytes_text(why.text), "the body is not JSON: "));
	}
	struct diag why;
	assert_int_equal(read("{\n \"a\": x}", &why), ERR_MALFORMED);
	assert_int_equal(why.line, 2);
}

static void keeps_to_its_caps(void **state)
{
	(void)state;
	json_t *value;
	char text[2 * JSONR_DEPTH_MAX + 3];
	struct diag why;
	for (int depth = JSONR_DEPTH_MAX; depth <= JSONR_DEPTH_MAX + 1; depth++) {
		memset(text, '[', (size_t)depth);
		memset(text + depth, ']', (size_t)depth);
		enum err e = jsonr_parse(bytes_of(text, 2 * (size_t)depth), 1000, &value, &why);
		assert_int_equal(e, depth > JSONR_DEPTH_MAX ? ERR_MALFORMED : ERR_NONE);
		if (!e)
			json_decref(value);
	}
	assert_string_equal(why.text, "the body is nested deeper than 32 levels");
	/* brackets inside texts do not count */
	assert_int_equal(jsonr_parse(BYTES("\"\\\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\""), 1000, &value, NULL), ERR_NONE);
	json_decref(value);
	assert_int_equal(jsonr_parse(BYTES("[1,2,3]"), 7, &value, NULL), ERR_NONE);
	json_decref(value);
	assert_int_equal(jsonr_parse(BYTES("[1,2,3]"), 6, &value, &why), ERR_TOO_BIG);
	assert_string_equal(why.text, "the body is larger than 6 bytes");
}

/* However long and deep the place, its name is cut and whole. */
static void cuts_long_places(void **state)
{
	(void)state;
	char name[400];
	memset(name, 'n', sizeof name);
	name[sizeof name - 1] = 0;
	struct jsonr_place above = {NULL, name, 0}, place = {&above, NULL, 7};
	struct diag why;
	json_t *value = json_true();
	assert_int_equal(jsonr_check(value, shape, &place, &why), ERR_MALFORMED);
	assert_non_null(strstr(why.text, " is not an object"));
	json_decref(value);
}

static void counts_are_above_nothing(void **state)
{
	static const struct {
		const char *text;
		uint64_t want;
	} cases[] = {{"{\"n\":1}", 1},
		     {"{\"n\":9223372036854775807}", INT64_MAX},
		     {"{\"n\":0}", 0},
		     {"{\"n\":-1}", 0},
		     {"{\"n\":\"1\"}", 0},
		     {"{\"n\":1.5}", 0},
		     {"{\"n\":true}", 0},
		     {"{}", 0},
		     {"[1]", 0}};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		json_t *value;
		assert_int_equal(jsonr_parse(bytes_text(cases[i].text), 1000, &value, NULL), ERR_NONE);
		assert_int_equal(jsonr_count(value, "n"), cases[i].want);
		json_decref(value);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(names_what_is_wrong),     cmocka_unit_test(takes_what_clients_send),
					   cmocka_unit_test(refuses_what_is_no_json), cmocka_unit_test(keeps_to_its_caps),
					   cmocka_unit_test(cuts_long_places),        cmocka_unit_test(counts_are_above_nothing)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
