/* Bodies of every wrong kind, over a played carrier. */
#include "fields.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <jansson.h>

static struct bytes content_type;
static unsigned status, answers;
static char answer[4096];

static struct bytes play_header(const struct exchange *x, const char *name)
{
	(void)x;
	return strcmp(name, "content-type") ? BYTES_NONE : content_type;
}

static void play_add_header(struct exchange *x, const char *name, struct bytes value)
{
	(void)x, (void)name, (void)value;
}

static void play_reply(struct exchange *x, unsigned code, const char *type, struct bytes body)
{
	(void)x, (void)type;
	status = code;
	answers++;
	snprintf(answer, sizeof answer, "%.*s", BYTES_ARG(body));
}

static const struct carrier PLAYED = {.header = play_header, .add_header = play_add_header, .reply = play_reply};

struct values {
	struct bytes text;
	bool flag;
	uint64_t id;
	struct wall at;
	struct field_texts texts;
	double number;
	struct field_flag choice;
	struct field_count count;
	struct bytes inner;
	struct field_objects items;
	struct bytes scalar;
};

struct item {
	struct bytes name;
	struct field_objects parts;
};

static void part_table(void *item, struct field fields[static FIELD_MEMBERS_MAX])
{
	fields[0] = (struct field){"flag", FIELD_BOOL, item};
}

static void item_table(void *item, struct field fields[static FIELD_MEMBERS_MAX])
{
	struct item *i = item;

	i->parts = (struct field_objects){.size = sizeof(bool), .table = part_table};
	fields[0] = (struct field){"name", FIELD_TEXT, &i->name};
	fields[1] = (struct field){"parts", FIELD_OBJECTS, &i->parts};
}

static struct arena *arena;

/* 200: taken. */
static unsigned read_body(struct bytes body, struct values *v)
{
	struct exchange x = {.carrier = &PLAYED, .arena = arena, .body = body};
	bool fine;

	*v = (struct values){.items = {.size = sizeof(struct item), .table = item_table}};
	answers = status = 0;
	fine = fields_read(
		&x,
		(struct field[]){{"text", FIELD_TEXT, &v->text},
				 {"flag", FIELD_BOOL, &v->flag},
				 {"id", FIELD_ID, &v->id},
				 {"at", FIELD_TIME, &v->at},
				 {"texts", FIELD_TEXTS, &v->texts},
				 {"number", FIELD_NUMBER, &v->number},
				 {"scalar", FIELD_SCALAR, &v->scalar},
				 {"choice", FIELD_FLAG, &v->choice},
				 {"count", FIELD_COUNT, &v->count},
				 {"object", FIELD_OBJECT, (struct field[]){{"inner", FIELD_TEXT, &v->inner}, {"items", FIELD_OBJECTS, &v->items}, {0}}},
				 {0}},
		"testing");
	assert_int_equal(answers, fine ? 0 : 1);
	return fine ? 200 : status;
}

static int set_up(void **state)
{
	(void)state;
	arena = arena_new();
	content_type = BYTES("application/json; charset=utf-8");
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	arena_free(&arena);
	return 0;
}

static void test_good_bodies(void **state)
{
	struct values v;

	(void)state;
	assert_int_equal(read_body(BYTES(""), &v), 200);
	assert_true(wall_is_zero(v.at));
	assert_int_equal(read_body(BYTES("{}"), &v), 200);
	assert_null(v.text.at);
	assert_int_equal(read_body(BYTES("{\"text\":null,\"flag\":null,\"id\":null,\"at\":null,\"texts\":null,\"number\":null}"), &v), 200);
	assert_false(v.texts.present);
	assert_int_equal(read_body(BYTES("{\"text\":\"\xc3\xa9\",\"flag\":true,\"id\":\"9223372036854775807\",\"at\":\"2100-01-01T00:00:00Z\",\"texts\":[\"a\","
					 "\"b\"],\"number\":-1.5}"),
				   &v),
			 200);
	assert_int_equal(v.text.len, 2);
	assert_true(v.flag && v.texts.present && v.texts.count == 2 && v.number < -1);
	assert_int_equal(v.id, INT64_MAX);
	assert_int_equal(read_body(BYTES("{\"id\":17}"), &v), 200);
	assert_int_equal(v.id, 17);
	assert_int_equal(read_body(BYTES("{\"id\":\"\"}"), &v), 200);
	assert_int_equal(v.id, 0);
	assert_int_equal(read_body(BYTES("{\"number\":3}"), &v), 200);
	assert_null(v.scalar.at);
}

static void test_scalars(void **state)
{
	static const char *const good[] = {"\"\"", "\"a\\\"\xc3\xa9\"", "7", "-7", "7.5", "true", "false"}, *const bad[] = {"[]", "[1]", "{}"};
	struct values v;
	char body[512], long_text[300];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(good); i++) {
		snprintf(body, sizeof body, "{\"scalar\":%s}", good[i]);
		assert_int_equal(read_body(bytes_text(body), &v), 200);
		if (!bytes_equal_text(v.scalar, good[i]))
			fail_msg("%s: %.*s", good[i], BYTES_ARG(v.scalar));
	}
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		snprintf(body, sizeof body, "{\"scalar\":%s}", bad[i]);
		assert_int_equal(read_body(bytes_text(body), &v), 422);
	}
	assert_int_equal(read_body(BYTES("{\"scalar\":null}"), &v), 200);
	assert_null(v.scalar.at);
	memset(long_text, 'a', sizeof long_text);
	snprintf(body, sizeof body, "{\"scalar\":\"%.*s\"}", 256, long_text);
	assert_int_equal(read_body(bytes_text(body), &v), 200);
	snprintf(body, sizeof body, "{\"scalar\":\"%.*s\"}", 257, long_text);
	assert_int_equal(read_body(bytes_text(body), &v), 422);
}

static void test_bad_bodies(void **state)
{
	static const struct {
		unsigned status;
		const char *body;
	} cases[] = {
		{400, "[]"},
		{400, "null"},
		{400, "\"text\""},
		{400, "{"},
		{400, "{} {}"},
		{400, "{\"text\":\"\\ud800\"}"},
		{400, "{\"text\":\"\\u0000\"}"},
		{400, "{\"text\":\"\xff\"}"},
		{400, "{\"id\":99999999999999999999}"},
		{400, "{\"number\":1e999}"},
		{422, "{\"text\":1}"},
		{422, "{\"text\":[\"a\"]}"},
		{422, "{\"flag\":\"true\"}"},
		{422, "{\"flag\":1}"},
		{422, "{\"id\":-1}"},
		{422, "{\"id\":1.5}"},
		{422, "{\"id\":\"9223372036854775808\"}"},
		{422, "{\"id\":\" 1\"}"},
		{422, "{\"id\":\"0x1\"}"},
		{422, "{\"id\":true}"},
		{422, "{\"at\":\"tomorrow\"}"},
		{422, "{\"at\":4102444800}"},
		{422, "{\"texts\":\"a\"}"},
		{422, "{\"texts\":{}}"},
		{422, "{\"texts\":[\"a\",1]}"},
		{422, "{\"texts\":[null]}"},
		{422, "{\"number\":\"1\"}"},
		{422, "{\"Text\":\"a\"}"},
		{422, "{\"unknown\":{}}"},
	};
	struct values v;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		if (read_body(bytes_text(cases[i].body), &v) != cases[i].status)
			fail_msg("%s: %u", cases[i].body, status);
	assert_int_equal(read_body(BYTES("{\0}"), &v), 400);
}

static void test_long_and_deep_bodies(void **state)
{
	enum { DEEP = 100000 };
	char *body = x_alloc(8 * DEEP);
	size_t len = 0;
	struct values v;

	(void)state;
	memset(body, '[', DEEP);
	assert_int_equal(read_body(bytes_of(body, DEEP), &v), 400);
	len = (size_t)sprintf(body, "{\"texts\":[\"a\"");
	for (unsigned i = 0; i < FIELD_TEXTS_MAX; i++)
		len += (size_t)sprintf(body + len, ",\"a\"");
	len += (size_t)sprintf(body + len, "]}");
	assert_int_equal(read_body(bytes_of(body, len), &v), 422);
	free(body);
}

/* The name of a member is echoed: it is cut, and the answer stays JSON. */
static void test_long_names_are_told_well_formed(void **state)
{
	char body[1200] = "{\"";
	struct values v;
	json_t *json;

	(void)state;
	for (unsigned pad = 0; pad < 3; pad++) {
		size_t len = 2;

		for (unsigned i = 0; i < pad; i++)
			body[len++] = 'x';
		while (len < 1000)
			len += (size_t)sprintf(body + len, "\xe2\x82\xac");
		sprintf(body + len, "\":1}");
		assert_int_equal(read_body(bytes_text(body), &v), 422);
		json = json_loads(answer, 0, NULL);
		assert_non_null(json);
		assert_string_equal(json_string_value(json_object_get(json, "message")), "unexpected property");
		json_decref(json);
	}
}

static void test_nested_bodies(void **state)
{
	struct values v;
	struct item *items;

	(void)state;
	assert_int_equal(
		read_body(BYTES("{\"choice\":false,\"count\":0,\"object\":{\"inner\":\"i\",\"items\":[{},{\"name\":\"n\",\"parts\":[{\"flag\":true},{}]}]}}"),
			  &v),
		200);
	assert_true(v.choice.present && !v.choice.value && v.count.present && v.count.value == 0 && v.items.present && v.items.count == 2);
	assert_true(bytes_equal_text(v.inner, "i"));
	items = v.items.list;
	assert_true(!items[0].name.at && !items[0].parts.present && bytes_equal_text(items[1].name, "n") && items[1].parts.count == 2);
	assert_true(((bool *)items[1].parts.list)[0] && !((bool *)items[1].parts.list)[1]);
	assert_int_equal(read_body(BYTES("{\"choice\":null,\"count\":null,\"object\":null}"), &v), 200);
	assert_false(v.choice.present || v.count.present || v.items.present);
	assert_int_equal(read_body(BYTES("{\"object\":{\"items\":[]}}"), &v), 200);
	assert_true(v.items.present && v.items.count == 0);
}

static void test_places_of_faults(void **state)
{
	static const struct {
		const char *body, *place;
	} cases[] = {
		{"{\"choice\":1}", "body.choice"},
		{"{\"count\":-1}", "body.count"},
		{"{\"count\":1.5}", "body.count"},
		{"{\"count\":\"1\"}", "body.count"},
		{"{\"texts\":[\"a\",1]}", "body.texts[1]"},
		{"{\"object\":[]}", "body.object"},
		{"{\"object\":\"x\"}", "body.object"},
		{"{\"object\":{\"inner\":1}}", "body.object.inner"},
		{"{\"object\":{\"other\":1}}", "body.object.other"},
		{"{\"object\":{\"items\":{}}}", "body.object.items"},
		{"{\"object\":{\"items\":[{},7]}}", "body.object.items[1]"},
		{"{\"object\":{\"items\":[null]}}", "body.object.items[0]"},
		{"{\"object\":{\"items\":[{},{},{\"name\":[]}]}}", "body.object.items[2].name"},
		{"{\"object\":{\"items\":[{\"parts\":[{},{\"flag\":0}]}]}}", "body.object.items[0].parts[1].flag"},
		{"{\"object\":{\"items\":[{\"parts\":[{\"Flag\":true}]}]}}", "body.object.items[0].parts[0].Flag"},
	};
	struct values v;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		char want[128];

		snprintf(want, sizeof want, "\"location\":\"%s\"", cases[i].place);
		if (read_body(bytes_text(cases[i].body), &v) != 422 || !strstr(answer, want))
			fail_msg("%s: %u %s", cases[i].body, status, answer);
	}
}

static void test_content_types(void **state)
{
	struct values v;

	(void)state;
	content_type = BYTES_NONE;
	assert_int_equal(read_body(BYTES("{}"), &v), 415);
	content_type = BYTES("text/plain");
	assert_int_equal(read_body(BYTES("{}"), &v), 415);
	assert_int_equal(read_body(BYTES(""), &v), 200);
}

static void test_ids_in_paths(void **state)
{
	static const char *const bad[] = {"", "0x5", "-1", "1 ", "9223372036854775808", "99999999999999999999999", "\xff", "one"};
	struct exchange x = {.carrier = &PLAYED, .arena = arena};
	uint64_t id;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		x.answered = false;
		x.params[0] = bytes_text(bad[i]);
		assert_false(fields_path_id(&x, 0, &id, "testing"));
		assert_int_equal(status, 400);
	}
	x.answered = false;
	x.params[0] = BYTES("1\0");
	assert_false(fields_path_id(&x, 0, &id, "testing"));
	x.params[0] = BYTES("9223372036854775807");
	assert_true(fields_path_id(&x, 0, &id, "testing"));
	assert_int_equal(id, INT64_MAX);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_good_bodies),   TEST(test_scalars),          TEST(test_long_and_deep_bodies), TEST(test_long_names_are_told_well_formed),
		TEST(test_good_bodies),   TEST(test_bad_bodies),       TEST(test_long_and_deep_bodies), TEST(test_long_names_are_told_well_formed),
		TEST(test_nested_bodies), TEST(test_places_of_faults), TEST(test_content_types),        TEST(test_ids_in_paths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
