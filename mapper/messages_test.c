#include "messages.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { DAY_MS = 24 * 3600 * 1000 };

static struct prefix ten = {.ip = {.family = IP_V4, .byte = {10}}, .bits = 8};

static void tells_what_is_so(void **state)
{
	(void)state;
	static const struct wall now = {1800000000000000000};
	/* expires_in_ms 0: never. due_in_ms 0: time changes nothing. */
	static const struct {
		int64_t expires_in_ms, lifetime_ms;
		bool waits, suspended, notice, offers, approved_route;
		unsigned messages;
		int64_t due_in_ms;
	} cases[] = {
		{0},
		{.expires_in_ms = 8LL * DAY_MS, .due_in_ms = DAY_MS},
		{.expires_in_ms = 7LL * DAY_MS, .messages = MESSAGE_EXPIRING, .due_in_ms = 7LL * DAY_MS},
		{.expires_in_ms = 7LL * DAY_MS, .lifetime_ms = 10LL * DAY_MS, .due_in_ms = 6LL * DAY_MS},
		{.expires_in_ms = DAY_MS, .lifetime_ms = 10LL * DAY_MS, .messages = MESSAGE_EXPIRING, .due_in_ms = DAY_MS},
		{.expires_in_ms = 3000, .lifetime_ms = 30000, .messages = MESSAGE_EXPIRING, .due_in_ms = 3000},
		{.expires_in_ms = 3001, .lifetime_ms = 30000, .due_in_ms = 1},
		{.expires_in_ms = -1, .messages = MESSAGE_EXPIRED},
		{.waits = true, .offers = true, .messages = MESSAGE_APPROVAL},
		{.offers = true, .messages = MESSAGE_ROUTES},
		{.offers = true, .approved_route = true},
		{.suspended = true, .waits = true, .expires_in_ms = -1, .messages = MESSAGE_SUSPENDED},
		{.suspended = true, .notice = true, .messages = MESSAGE_SUSPENDED | MESSAGE_NOTICE},
		{.notice = true, .messages = MESSAGE_NOTICE},
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct node node = {.approved = !cases[i].waits,
				    .expiry = cases[i].expires_in_ms ? wall_add_ms(now, cases[i].expires_in_ms) : WALL_ZERO,
				    .routes_advertised = &ten,
				    .advertised_count = cases[i].offers,
				    .routes_approved = &ten,
				    .approved_count = cases[i].approved_route};
		unsigned messages = messages_of(&node, cases[i].suspended, cases[i].notice, cases[i].lifetime_ms, now);
		struct wall due = messages_due(&node, cases[i].lifetime_ms, now);
		struct wall wanted = cases[i].due_in_ms ? wall_add_ms(now, cases[i].due_in_ms) : WALL_ZERO;
		if (messages != cases[i].messages || due.ns != wanted.ns)
			fail_msg("case %zu: messages %x, due in %lld ms", i, messages, (long long)(due.ns - now.ns) / 1000000);
	}
}

static const char *written(unsigned messages, const char *notice, bool as_health, bool first)
{
	static char text[2048];
	struct buffer out;
	struct jsonw w;
	buffer_init(&out, sizeof text - 1);
	jsonw_start(&w, &out);
	jsonw_object(&w, NULL);
	messages_write(&w, messages, bytes_text(notice), as_health, first);
	jsonw_object_end(&w);
	assert_int_equal(jsonw_end(&w), ERR_NONE);
	memcpy(text, out.at, out.len);
	text[out.len] = 0;
	buffer_clear(&out);
	return text;
}

static void writes_both_forms(void **state)
{
	(void)state;
	assert_string_equal(written(0, "", false, true), "{}");
	assert_string_equal(written(0, "", false, false), "{\"DisplayMessages\":{\"*\":null}}");
	assert_string_equal(written(0, "", true, true), "{\"Health\":[]}");
	assert_string_equal(written(MESSAGE_NOTICE, "tea at \"five\"", true, false), "{\"Health\":[\"tea at \\\"five\\\"\"]}");
	assert_string_equal(written(MESSAGE_NOTICE, "tea", false, true),
			    "{\"DisplayMessages\":{\"notice\":{\"Title\":\"From your administrators\",\"Text\":\"tea\",\"Severity\":\"low\"}}}");
	assert_non_null(strstr(written(MESSAGE_SUSPENDED | MESSAGE_NOTICE, "x", false, false), "{\"*\":null,\"suspended\":{"));
	assert_non_null(strstr(written(MESSAGE_APPROVAL, "", false, true), "\"Severity\":\"high\",\"ImpactsConnectivity\":true}"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(tells_what_is_so), cmocka_unit_test(writes_both_forms)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
