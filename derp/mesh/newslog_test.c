#include "newslog.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void say(struct newslog *log, uint32_t number, size_t len)
{
	uint8_t frame[NEWSLOG_PIECE] = {0};
	put_be32(frame, (uint32_t)len);
	put_be32(frame + 4, number);
	newslog_add(log, bytes_of(frame, len));
}

/* Reads one portion; returns the number that should come next. */
static uint32_t hear(const struct newslog *log, uint64_t *at, uint32_t next)
{
	struct bytes news = newslog_from(log, *at);
	assert_true(news.len <= NEWSLOG_PIECE);
	*at += news.len;
	while (news.len) {
		uint32_t len = get_be32(news.at);
		assert_true(len >= 8 && len <= news.len);
		assert_int_equal(get_be32(news.at + 4), next++);
		news = bytes_skip(news, len);
	}
	return next;
}

static void each_hears_all_in_order_at_its_pace(void **state)
{
	(void)state;
	enum { COUNT = 20000 };
	struct newslog *log = newslog_new();
	uint64_t quick = 0, slow = 0, late = 0;
	uint32_t quick_next = 0, slow_next = 0, late_next = 0;
	for (uint32_t n = 0; n < COUNT; n++) {
		if (n == COUNT / 2) {
			late = newslog_end(log);
			late_next = n;
		}
		say(log, n, n % 3 ? 38 : 56);
		quick_next = hear(log, &quick, quick_next);
		assert_int_equal(quick_next, n + 1);
		if (n % 2000 == 0)
			slow_next = hear(log, &slow, slow_next);
		newslog_forget(log, slow < late || !late ? slow : late);
	}
	assert_true(slow_next < COUNT && newslog_size(log) > NEWSLOG_PIECE);
	while (slow < newslog_end(log))
		slow_next = hear(log, &slow, slow_next);
	while (late < newslog_end(log))
		late_next = hear(log, &late, late_next);
	assert_int_equal(slow_next, COUNT);
	assert_int_equal(late_next, COUNT);
	assert_int_equal(newslog_from(log, slow).len, 0);
	newslog_forget(log, slow);
	assert_int_equal(newslog_size(log), 0);
	say(log, COUNT, NEWSLOG_PIECE);
	assert_int_equal(hear(log, &slow, COUNT), COUNT + 1);
	newslog_free(&log);
	assert_null(log);
}

/* What somebody still needs is kept, however much has been said since. */
static void nothing_is_forgotten_too_early(void **state)
{
	(void)state;
	struct newslog *log = newslog_new();
	uint64_t at = 0;
	say(log, 0, 20000);
	say(log, 1, 20000);
	newslog_forget(log, 19999);
	assert_int_equal(hear(log, &at, 0), 1);
	newslog_forget(log, at);
	assert_int_equal(newslog_size(log), 20000);
	assert_int_equal(hear(log, &at, 1), 2);
	newslog_free(&log);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_hears_all_in_order_at_its_pace),
		cmocka_unit_test(nothing_is_forgotten_too_early),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
