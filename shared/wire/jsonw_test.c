#include "jsonw.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

struct writer {
	struct buffer out;
	struct jsonw w;
};

static void begin(struct writer *t, size_t cap)
{
	buffer_init(&t->out, cap);
	jsonw_start(&t->w, &t->out);
}

static void finish(struct writer *t, const char *text)
{
	assert_int_equal(jsonw_end(&t->w), ERR_NONE);
	assert_int_equal(buffer_add_byte(&t->out, 0), ERR_NONE);
	assert_string_equal((const char *)t->out.at, text);
	buffer_clear(&t->out);
}

static void puts_commas(void **state)
{
	(void)state;
	struct writer t;
	begin(&t, 4096);
	jsonw_object(&t.w, NULL);
	jsonw_int(&t.w, "a", -1);
	jsonw_array(&t.w, "b");
	jsonw_array_end(&t.w);
	jsonw_array(&t.w, "c");
	jsonw_object(&t.w, NULL);
	jsonw_object_end(&t.w);
	jsonw_array(&t.w, NULL);
	jsonw_null(&t.w, NULL);
	jsonw_bool(&t.w, NULL, true);
	jsonw_array_end(&t.w);
	jsonw_string(&t.w, NULL, "x");
	jsonw_array_end(&t.w);
	jsonw_key(&t.w, BYTES("d\"e"));
	jsonw_object(&t.w, NULL);
	jsonw_key(&t.w, BYTES("1"));
	jsonw_bool(&t.w, NULL, false);
	jsonw_key(&t.w, BYTES("2"));
	jsonw_raw(&t.w, NULL, BYTES("[3]"));
	jsonw_object_end(&t.w);
	jsonw_uint_text(&t.w, "f", 18446744073709551615u);
	jsonw_object_end(&t.w);
	finish(&t, "{\"a\":-1,\"b\":[],\"c\":[{},[null,true],\"x\"],\"d\\\"e\":{\"1\":false,\"2\":[3]},\"f\":\"18446744073709551615\"}");
}

static void writes_numbers(void **state)
{
	(void)state;
	struct writer t;
	begin(&t, 4096);
	jsonw_array(&t.w, NULL);
	jsonw_uint(&t.w, NULL, 0);
	jsonw_uint(&t.w, NULL, 9);
	jsonw_uint(&t.w, NULL, 10);
	jsonw_uint(&t.w, NULL, UINT64_MAX);
	jsonw_int(&t.w, NULL, INT64_MIN);
	jsonw_int(&t.w, NULL, INT64_MAX);
	jsonw_double(&t.w, NULL, 0.1);
	jsonw_double(&t.w, NULL, -52.5);
	jsonw_double(&t.w, NULL, 1.0 / 3);
	jsonw_double(&t.w, NULL, __builtin_nan(""));
	jsonw_double(&t.w, NULL, -__builtin_inf());
	jsonw_array_end(&t.w);
	finish(&t, "[0,9,10,18446744073709551615,-9223372036854775808,9223372036854775807,0.1,-52.5,0.3333333333333333,null,null]");
}

static void writes_values_of_the_field(void **state)
{
	(void)state;
	struct writer t;
	begin(&t, 4096);
	jsonw_object(&t.w, NULL);
	jsonw_time(&t.w, "t", (struct wall){1795168800500000000});
	jsonw_time(&t.w, "z", WALL_ZERO);
	jsonw_prefix(&t.w, "p", (struct prefix){{IP_V4, {100, 64, 0, 1}}, 32});
	jsonw_object_end(&t.w);
	finish(&t, "{\"t\":\"2026-11-20T10:00:00.5Z\",\"z\":\"0001-01-01T00:00:00Z\",\"p\":\"100.64.0.1/32\"}");
}

static void escapes_what_must_be(void **state)
{
	(void)state;
	static const struct {
		const char *text, *json;
	} trials[] = {
		{"", "\"\""},
		{"plain <b>&'</b>/\x7f", "\"plain <b>&'</b>/\x7f\""},
		{"\"\\", "\"\\\"\\\\\""},
		{"\n\r\t\b\f\x01\x1f", "\"\\n\\r\\t\\b\\f\\u0001\\u001f\""},
		{"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\""},
		{"a\xff"
		 "b",
		 "\"a\xef\xbf\xbd"
		 "b\""},
		{"\xc0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\""},                 /* overlong */
		{"\xed\xa0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""}, /* surrogate */
		{"\xf4\x90\x80\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
		{"\xe2\x82", "\"\xef\xbf\xbd\xef\xbf\xbd\""}, /* cut short */
		{"\xf0\x9f\x98", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
	};
	for (size_t i = 0; i < COUNT_OF(trials); i++) {
		struct writer t;
		begin(&t, 4096);
		jsonw_string(&t.w, NULL, trials[i].text);
		finish(&t, trials[i].json);
	}
	struct writer t;
	begin(&t, 4096);
	jsonw_text(&t.w, NULL, bytes_of("a\0b", 3));
	finish(&t, "\"a\\u0000b\"");
}

/* Every pair of bytes comes out as JSON that a strict reader takes. */
static void is_always_json(void **state)
{
	(void)state;
	for (unsigned pair = 0; pair < 65536; pair++) {
		uint8_t text[4] = {'x', (uint8_t)(pair >> 8), (uint8_t)pair, 0x80};
		struct writer t;
		begin(&t, 4096);
		jsonw_text(&t.w, NULL, bytes_of(text, sizeof text));
		json_t *read = json_loadb((const char *)t.out.at, t.out.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
		assert_non_null(read);
		json_decref(read);
		buffer_clear(&t.out);
	}
}

static void write_some(struct jsonw *w)
{
	jsonw_object(w, NULL);
	jsonw_string(w, "name", "va\"lue");
	jsonw_key(w, BYTES("key\n"));
	jsonw_uint(w, NULL, 12345);
	jsonw_object_end(w);
}

/* At every cap: either all of it, or an error that sticks; never past the cap. */
static void keeps_to_the_cap(void **state)
{
	(void)state;
	struct writer t;
	begin(&t, 4096);
	write_some(&t.w);
	size_t whole = t.out.len;
	buffer_clear(&t.out);
	for (size_t cap = 0; cap < whole + 8; cap++) {
		begin(&t, cap);
		write_some(&t.w);
		assert_true(t.out.len <= cap);
		if (cap < whole)
			assert_int_equal(jsonw_end(&t.w), ERR_TOO_BIG);
		if (!jsonw_end(&t.w))
			assert_int_equal(t.out.len, whole);
		buffer_clear(&t.out);
	}
	begin(&t, whole + 8);
	write_some(&t.w);
	assert_int_equal(jsonw_end(&t.w), ERR_NONE);
	buffer_clear(&t.out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(puts_commas),          cmocka_unit_test(writes_numbers), cmocka_unit_test(writes_values_of_the_field),
		cmocka_unit_test(escapes_what_must_be), cmocka_unit_test(is_always_json), cmocka_unit_test(keeps_to_the_cap)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
