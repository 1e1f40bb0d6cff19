/* Pages: what is asked for, and cursors that come back. */
#include "page.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "dispatch.h"
#include "log.h"

static const struct route audits = {.path = "/audits"}, nodes = {.path = "/nodes"};
static struct exchange x;
static unsigned status;

static void play_add_header(struct exchange *exchange, const char *name, struct bytes value)
{
	(void)exchange, (void)name, (void)value;
}

static void play_reply(struct exchange *exchange, unsigned code, const char *type, struct bytes body)
{
	(void)exchange, (void)type, (void)body;
	status = code;
}

static const struct carrier PLAYED = {.add_header = play_add_header, .reply = play_reply};

static bool ask(const struct route *route, const char *query, struct page *page)
{
	arena_free(&x.arena);
	x = (struct exchange){.carrier = &PLAYED, .arena = arena_new(), .method = METHOD_GET, .route = route, .query = bytes_text(query)};
	status = 0;
	return page_read(&x, page, "testing");
}

static int tear_down(void **state)
{
	(void)state;
	arena_free(&x.arena);
	return 0;
}

static const char *next_of(const struct route *route, const struct page *page, size_t rows, uint64_t last)
{
	static char text[200];
	struct buffer out;
	struct jsonw w;

	x.route = route;
	buffer_init(&out, 1000);
	jsonw_start(&w, &out);
	jsonw_object(&w, NULL);
	page_write_next(&w, &x, page, rows, last);
	jsonw_object_end(&w);
	assert_int_equal(jsonw_end(&w), ERR_NONE);
	snprintf(text, sizeof text, "%.*s", BYTES_ARG(buffer_bytes(&out)));
	buffer_clear(&out);
	return text;
}

static void test_limits(void **state)
{
	static const struct {
		const char *query;
		unsigned limit; /* 0: refused */
	} rows[] = {{"", 100},        {"limit=1", 1}, {"limit=1000", 1000}, {"limit=0", 0},  {"limit=1001", 0}, {"limit=-1", 0},
		    {"limit=%31", 1}, {"limit=", 0},  {"limit=01", 0},      {"limit=1x", 0}, {"cursor=", 0},    {"cursor=zz", 0}};
	struct page page;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		assert_int_equal(ask(&audits, rows[i].query, &page), rows[i].limit != 0);
		assert_int_equal(status, rows[i].limit ? 0 : 400);
		if (rows[i].limit)
			assert_int_equal(page.limit, rows[i].limit);
	}
}

static void test_cursors_come_back(void **state)
{
	static const uint64_t ids[] = {1, 77, 4294967296, INT64_MAX};
	struct page page;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(ids); i++) {
		char query[200], cursor[100];

		assert_true(ask(&audits, "limit=2", &page));
		assert_int_equal(page_want(&page), 3);
		assert_int_equal(page_shown(&page, 3), 2);
		assert_int_equal(sscanf(next_of(&audits, &page, 3, ids[i]), "{\"nextCursor\":\"%24[0-9a-f]\"}", cursor), 1);
		snprintf(query, sizeof query, "cursor=%s&limit=5", cursor);
		assert_true(ask(&audits, query, &page));
		assert_true(page.after == ids[i] && page.limit == 5);
		assert_false(ask(&nodes, query, &page));
		query[10] = query[10] == '0' ? '1' : '0';
		assert_false(ask(&audits, query, &page));
	}
	assert_true(ask(&audits, "limit=2", &page));
	assert_string_equal(next_of(&audits, &page, 2, 7), "{\"nextCursor\":null}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_limits), cmocka_unit_test(test_cursors_come_back)};

	log_setup("page_test", LOG_ERROR, LOG_TEXT);
	return cmocka_run_group_tests(tests, NULL, tear_down);
}
