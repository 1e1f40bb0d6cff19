/* Entity tags: what conditions let through. */
#include "etag.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "guard.h"
#include "log.h"

static struct asker asker;
static struct exchange x;
static unsigned status;
static char tag[64];

static void play_add_header(struct exchange *exchange, const char *name, struct bytes value)
{
	(void)exchange;
	if (strcmp(name, "ETag") == 0)
		snprintf(tag, sizeof tag, "%.*s", BYTES_ARG(value));
}

static void play_reply(struct exchange *exchange, unsigned code, const char *type, struct bytes body)
{
	(void)exchange, (void)type, (void)body;
	status = code;
}

static const struct carrier PLAYED = {.add_header = play_add_header, .reply = play_reply};

static void begin(struct answer *a, const char *shown)
{
	arena_free(&x.arena);
	x = (struct exchange){.carrier = &PLAYED, .arena = arena_new(), .method = METHOD_GET, .guard = &asker};
	status = 0;
	answer_start(a);
	jsonw_string(&a->w, "name", shown);
}

static unsigned get(const char *shown, const char *if_none_match)
{
	struct answer a;

	asker = (struct asker){.if_none_match = bytes_text(if_none_match)};
	begin(&a, shown);
	etag_send(&a, &x, "testing");
	return status;
}

static unsigned change(const char *shown, const char *if_match)
{
	struct answer a;
	bool holds;

	asker = (struct asker){.if_match = bytes_text(if_match)};
	begin(&a, shown);
	holds = etag_holds(&a, &x, "testing");
	assert_int_equal(holds, status == 0);
	return status;
}

static int tear_down(void **state)
{
	(void)state;
	arena_free(&x.arena);
	return 0;
}

static void test_conditions(void **state)
{
	static const struct {
		const char *header; /* %s: the tag of what stands */
		unsigned get, change;
	} rows[] = {
		{"", 200, 0},
		{"%s", 304, 0},
		{"*", 304, 0},
		{"\"x\"", 200, 412},
		{"W/%s", 304, 412},
		{"\"x\", %s", 304, 0},
		{" \t%s ,\"x\"", 304, 0},
		{"\"x\",\"y\"", 200, 412},
		{",", 200, 412},
		{"garbage", 200, 412},
	};
	char mine[64], header[200];

	(void)state;
	assert_int_equal(get("a", NULL), 200);
	snprintf(mine, sizeof mine, "%s", tag);
	assert_int_equal(get("b", NULL), 200);
	assert_string_not_equal(mine, tag);
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		const char *at = strstr(rows[i].header, "%s");

		if (at)
			snprintf(header, sizeof header, "%.*s%s%s", (int)(at - rows[i].header), rows[i].header, mine, at + 2);
		else
			snprintf(header, sizeof header, "%s", rows[i].header);
		assert_int_equal(get("a", header), rows[i].get);
		assert_string_equal(tag, mine);
		assert_int_equal(change("a", header), rows[i].change);
	}
	assert_int_equal(get("b", mine), 200);
	assert_int_equal(change("b", mine), 412);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_conditions)};

	log_setup("etag_test", LOG_ERROR, LOG_TEXT);
	return cmocka_run_group_tests(tests, NULL, tear_down);
}
