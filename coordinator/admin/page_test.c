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

static void begin(const struct route *route, const char *query)
{
	arena_free(&x.arena);
	x = (struct exchange){.carrier = &PLAYED, .arena = arena_new(), .method = METHOD_GET, .route = route, .query = bytes_text(query)};
	status = 0;
}

static bool ask(const struct route *route, const char *query, struct page *page)
{
	begin(route, query);
	return page_read(&x, page, "testing");
}

static bool ask_pairs(const struct route *route, const char *query, struct page *page)
{
	begin(route, query);
	return page_read_pairs(&x, page, "testing");
}

static int tear_down(void **state)
{
	(void)state;
	arena_free(&x.arena);
	return 0;
}

/* What is asked of, and how the page ends, when so many rows of so many bytes are found: "SHOWN {"nextCursor":...}". */
static const char *next_of(const struct route *route, struct page *page, size_t rows, size_t row_bytes, const uint64_t *id)
{
	static char text[200];
	struct buffer out;
	struct jsonw w;
	size_t rest = 0;

	x.route = route;
	buffer_init(&out, 4 * PAGE_BYTES);
	jsonw_start(&w, &out);
	for (size_t i = 0; page_shows(page, &w, i, rows); i++, rest = out.len)
		if (row_bytes) {
			assert_non_null(buffer_reserve(&out, row_bytes));
			buffer_filled(&out, row_bytes);
		}
	jsonw_object(&w, NULL);
	if (id[1])
		page_write_next_pair(&w, &x, page, id[0], id[1]);
	else
		page_write_next(&w, &x, page, id[0]);
	jsonw_object_end(&w);
	assert_int_equal(jsonw_end(&w), ERR_NONE);
	snprintf(text, sizeof text, "%zu %.*s", page->shown, BYTES_ARG(bytes_skip(buffer_bytes(&out), rest)));
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
		assert_int_equal(sscanf(next_of(&audits, &page, 3, 0, (uint64_t[]){ids[i], 0}), "2 {\"nextCursor\":\"%24[0-9a-f]\"}", cursor), 1);
		snprintf(query, sizeof query, "cursor=%s&limit=5", cursor);
		assert_true(ask(&audits, query, &page));
		assert_true(page.after == ids[i] && !page.within && page.limit == 5);
		assert_false(ask(&nodes, query, &page));
		assert_false(ask_pairs(&audits, query, &page));
		query[10] = query[10] == '0' ? '1' : '0';
		assert_false(ask(&audits, query, &page));
	}
	assert_true(ask(&audits, "limit=2", &page));
	assert_string_equal(next_of(&audits, &page, 2, 0, (uint64_t[]){7, 0}), "2 {\"nextCursor\":null}");
	assert_string_equal(next_of(&audits, &page, 0, 0, (uint64_t[]){0, 0}), "0 {\"nextCursor\":null}");
}

static void test_cursors_of_pairs(void **state)
{
	char query[200], cursor[100];
	struct page page;

	(void)state;
	assert_true(ask(&audits, "", &page));
	assert_int_equal(sscanf(next_of(&audits, &page, 101, 0, (uint64_t[]){9, 4294967297}), "100 {\"nextCursor\":\"%40[0-9a-f]\"}", cursor), 1);
	assert_int_equal(strlen(cursor), 40);
	snprintf(query, sizeof query, "cursor=%s", cursor);
	assert_false(ask(&audits, query, &page));
	assert_true(ask_pairs(&audits, query, &page));
	assert_true(page.after == 9 && page.within == 4294967297);
	/* Neither half may be another. */
	for (size_t at = 14; at < 40; at += 16) {
		query[7 + at] = query[7 + at] == '0' ? '1' : '0';
		assert_false(ask_pairs(&audits, query, &page));
		query[7 + at] = cursor[at];
	}
}

/* A page ends behind the row that makes it large, and what follows is the next one's; one row at least is on each. */
static void test_large_rows(void **state)
{
	static const struct {
		size_t rows, bytes, shown;
		bool more;
	} cases[] = {{4, PAGE_BYTES / 2, 2, true},
		     {4, PAGE_BYTES / 3, 4, true},
		     {3, PAGE_BYTES / 3, 3, false},
		     {2, 2 * PAGE_BYTES, 1, true},
		     {1, PAGE_BYTES - 1, 1, false},
		     {1, PAGE_BYTES, 1, true},
		     {11, 1, 10, true},
		     {10, 1, 10, false}};
	struct page page;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		const char *said;
		char want[8];

		assert_true(ask(&audits, "limit=10", &page));
		said = next_of(&audits, &page, cases[i].rows, cases[i].bytes, (uint64_t[]){7, 0});
		snprintf(want, sizeof want, "%zu {", cases[i].shown);
		assert_memory_equal(said, want, strlen(want));
		assert_int_equal(strstr(said, "null") == NULL, cases[i].more);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_limits), cmocka_unit_test(test_cursors_come_back), cmocka_unit_test(test_cursors_of_pairs),
					   cmocka_unit_test(test_large_rows)};

	log_setup("page_test", LOG_ERROR, LOG_TEXT);
	return cmocka_run_group_tests(tests, NULL, tear_down);
}
