#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include <stdio.h>
#include <time.h>

#include "text.h"

static void integers_are_strict(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		uint64_t max, value;
		enum err want;
	} cases[] = {
		{"0", 9, 0, ERR_NONE},
		{"9", 9, 9, ERR_NONE},
		{"10", 9, 0, ERR_TOO_BIG},
		{"18446744073709551615", UINT64_MAX, UINT64_MAX, ERR_NONE},
		{"18446744073709551616", UINT64_MAX, 0, ERR_TOO_BIG},
		{"99999999999999999999999", UINT64_MAX, 0, ERR_TOO_BIG},
		{"", 9, 0, ERR_MALFORMED},
		{"00", 9, 0, ERR_MALFORMED},
		{"01", 9, 0, ERR_MALFORMED},
		{"-1", 9, 0, ERR_MALFORMED},
		{"+1", 9, 0, ERR_MALFORMED},
		{" 1", 9, 0, ERR_MALFORMED},
		{"1 ", 9, 0, ERR_MALFORMED},
		{"1a", 9, 0, ERR_MALFORMED},
		{"0x1", 99, 0, ERR_MALFORMED},
		{"0", 0, 0, ERR_NONE},
		{"1", 0, 0, ERR_TOO_BIG},
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		uint64_t value = 0;
		assert_int_equal(text_parse_u64(bytes_text(cases[i].text), cases[i].max, &value), cases[i].want);
		assert_true(value == cases[i].value);
	}
	static const struct {
		const char *text;
		int64_t value;
		enum err want;
	} with_sign[] = {
		{"0", 0, ERR_NONE},
		{"-1", -1, ERR_NONE},
		{"9223372036854775807", INT64_MAX, ERR_NONE},
		{"-9223372036854775808", INT64_MIN, ERR_NONE},
		{"9223372036854775808", 0, ERR_TOO_BIG},
		{"-9223372036854775809", 0, ERR_TOO_BIG},
		{"-", 0, ERR_MALFORMED},
		{"--1", 0, ERR_MALFORMED},
		{"-0", 0, ERR_MALFORMED},
		{"", 0, ERR_MALFORMED},
	};
	for (size_t i = 0; i < COUNT_OF(with_sign); i++) {
		int64_t value = 0;
		assert_int_equal(text_parse_i64(bytes_text(with_sign[i].text), &value), with_sign[i].want);
		assert_true(value == with_sign[i].value);
	}
}

static void hex_goes_there_and_back(void **state)
{
	(void)state;
	uint8_t out[4] = {9, 9, 9, 9};
	char text[9];
	assert_int_equal(hex_decode(BYTES("00aBFf7e"), out, 4), ERR_NONE);
	hex_encode(text, bytes_of(out, 4));
	assert_string_equal(text, "00abff7e");
	static const char *const bad[] = {"", "00abff7", "00abff7e0", "00abff7g", "00abff 7", "0x00abff", "00abff7\xc3"};
	for (size_t i = 0; i < COUNT_OF(bad); i++)
		assert_int_equal(hex_decode(bytes_text(bad[i]), out, 4), ERR_MALFORMED);
	assert_int_equal(out[1], 0xab);
	assert_int_equal(hex_decode(BYTES(""), out, 0), ERR_NONE);
	hex_encode(text, BYTES_NONE);
	assert_string_equal(text, "");
}

static void base64_is_strict(void **state)
{
	(void)state;
	static const struct {
		const char *plain, *text;
	} cases[] = {{"", ""},
		     {"f", "Zg=="},
		     {"fo", "Zm8="},
		     {"foo", "Zm9v"},
		     {"foob", "Zm9vYg=="},
		     {"fooba", "Zm9vYmE="},
		     {"foobar", "Zm9vYmFy"},
		     {"\xff\xef\xbe", "/+++"},
		     {"\xff\xff\xff", "////"}};
	struct buffer out;
	buffer_init(&out, 100);
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		buffer_reset(&out);
		assert_int_equal(base64_encode(bytes_text(cases[i].plain), &out), ERR_NONE);
		assert_true(bytes_equal_text(buffer_bytes(&out), cases[i].text));
		buffer_reset(&out);
		assert_int_equal(base64_decode(bytes_text(cases[i].text), &out), ERR_NONE);
		assert_true(bytes_equal_text(buffer_bytes(&out), cases[i].plain));
		struct bytes whole = bytes_text(cases[i].text);
		for (size_t len = 0; len < whole.len; len++)
			assert_int_equal(base64_decode(bytes_take(whole, len), &out), len % 4 ? ERR_MALFORMED : ERR_NONE);
	}
	static const char *const bad[] = {"Z", "Zg", "Zg=", "Zh==", "Zm9=", "====", "Z===", "Zg==Zg==", "Zm9v Zg=", "Zm9-", "Zm9_", "Zm9v\n", "=Zm9", "Zm=v"};
	buffer_reset(&out);
	assert_int_equal(buffer_add_text(&out, "kept"), ERR_NONE);
	for (size_t i = 0; i < COUNT_OF(bad); i++)
		assert_int_equal(base64_decode(bytes_text(bad[i]), &out), ERR_MALFORMED);
	assert_true(bytes_equal_text(buffer_bytes(&out), "kept"));
	buffer_clear(&out);
	buffer_init(&out, 5);
	assert_int_equal(base64_encode(BYTES("foob"), &out), ERR_TOO_BIG);
	assert_int_equal(base64_decode(BYTES("Zm9vYmFy"), &out), ERR_TOO_BIG);
	assert_int_equal(out.len, 0);
	buffer_clear(&out);
}

static void durations_are_strict(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int64_t ms;
		enum err want;
		const char *again;
	} cases[] = {
		{"10s", 10000, ERR_NONE, "10s"},
		{"1m30s", 90000, ERR_NONE, "1m30s"},
		{"250ms", 250, ERR_NONE, "250ms"},
		{"90d", 7776000000, ERR_NONE, "90d"},
		{"1y2w", 32745600000, ERR_NONE, "379d"},
		{"90s", 90000, ERR_NONE, "1m30s"},
		{"0s", 0, ERR_NONE, "0s"},
		{"1d2h3m4s5ms", 93784005, ERR_NONE, "1d2h3m4s5ms"},
		{"24h", 86400000, ERR_NONE, "1d"},
		{"9223372036854775807ms", INT64_MAX, ERR_NONE, "106751991167d7h12m55s807ms"},
		{"", 0, ERR_MALFORMED, NULL},
		{"10", 0, ERR_MALFORMED, NULL},
		{"s", 0, ERR_MALFORMED, NULL},
		{"1s1m", 0, ERR_MALFORMED, NULL},
		{"1s1s", 0, ERR_MALFORMED, NULL},
		{"-1s", 0, ERR_MALFORMED, NULL},
		{"1 s", 0, ERR_MALFORMED, NULL},
		{"1S", 0, ERR_MALFORMED, NULL},
		{"1.5s", 0, ERR_MALFORMED, NULL},
		{"1us", 0, ERR_MALFORMED, NULL},
		{"1sx", 0, ERR_MALFORMED, NULL},
		{"1s5", 0, ERR_MALFORMED, NULL},
		{"9223372036854775807s", 0, ERR_TOO_BIG, NULL},
		{"106751991167d8h", 0, ERR_TOO_BIG, NULL},
		{"99999999999999999999s", 0, ERR_TOO_BIG, NULL},
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		int64_t ms = 0;
		char out[32];
		assert_int_equal(duration_parse(bytes_text(cases[i].text), &ms), cases[i].want);
		assert_true(ms == cases[i].ms);
		if (!cases[i].again)
			continue;
		assert_int_equal(duration_format(out, ms), strlen(cases[i].again));
		assert_string_equal(out, cases[i].again);
	}
	char out[32];
	duration_format(out, -90000);
	assert_string_equal(out, "-1m30s");
	duration_format(out, INT64_MIN);
	assert_string_equal(out, "-106751991167d7h12m55s808ms");
}

static void times_are_read_and_written(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int64_t ns;
		const char *again; /* NULL: the same */
	} cases[] = {
		{"1970-01-01T00:00:00Z", 0, NULL},
		{"1970-01-01T00:02:03Z", 123000000000, NULL},
		{"1969-12-31T23:59:59.999999999Z", -1, NULL},
		{"2026-11-20T10:00:00.5Z", 1795168800500000000, NULL},
		{"2026-11-20T10:00:00.500Z", 1795168800500000000, "2026-11-20T10:00:00.5Z"},
		{"2026-11-20T10:00:00.000Z", 1795168800000000000, "2026-11-20T10:00:00Z"},
		{"2026-11-20T12:00:00.123456789+02:00", 1795168800123456789, "2026-11-20T10:00:00.123456789Z"},
		{"2026-11-20T12:00:00.1234567899999+02:00", 1795168800123456789, "2026-11-20T10:00:00.123456789Z"},
		{"2026-11-20T04:30:00-05:30", 1795168800000000000, "2026-11-20T10:00:00Z"},
		{"2000-02-29T23:59:59Z", 951868799000000000, NULL},
		{"2100-03-01T00:00:00Z", 4107542400000000000, NULL},
		{"1900-03-01T00:00:00Z", -2203891200000000000, NULL},
		{"0001-01-01T00:00:00Z", INT64_MIN, NULL},
		{"0001-01-01T01:00:00+01:00", INT64_MIN, "0001-01-01T00:00:00Z"},
		{"0001-01-01T00:00:01Z", INT64_MIN + 1, "1677-09-21T00:12:43.145224193Z"},
		{"9999-12-31T23:59:59Z", INT64_MAX, "2262-04-11T23:47:16.854775807Z"},
		{"2262-04-11T23:47:15.9Z", 9223372035900000000, NULL},
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct wall wall = {0};
		char out[TIME_TEXT_MAX];
		struct bytes whole = bytes_text(cases[i].text);
		assert_int_equal(time_parse(whole, &wall), ERR_NONE);
		assert_true(wall.ns == cases[i].ns);
		size_t len = time_format(out, wall);
		assert_string_equal(out, cases[i].again ? cases[i].again : cases[i].text);
		assert_int_equal(len, strlen(out));
		for (size_t cut = 0; cut < whole.len; cut++)
			assert_int_equal(time_parse(bytes_take(whole, cut), &wall), ERR_MALFORMED);
	}
}

static void bad_times_are_refused(void **state)
{
	(void)state;
	static const char *const bad[] = {
		"2026-11-20 10:00:00Z",     "2026-11-20t10:00:00Z",   "2026-11-20T10:00:00z",     "2026-11-20T10:00:00",       "2026-11-20T10:00:00Z ",
		" 2026-11-20T10:00:00Z",    "2026-13-20T10:00:00Z",   "2026-00-20T10:00:00Z",     "2026-11-31T10:00:00Z",      "2026-11-00T10:00:00Z",
		"2025-02-29T10:00:00Z",     "1900-02-29T10:00:00Z",   "2026-11-20T24:00:00Z",     "2026-11-20T10:60:00Z",      "2026-11-20T10:00:60Z",
		"2026-11-20T10:00:00.Z",    "2026-11-20T10:00:00,5Z", "2026-11-20T10:00:00+0200", "2026-11-20T10:00:00+24:00", "2026-11-20T10:00:00+02:60",
		"2026-11-20T10:00:00+2:00", "26-11-20T10:00:00Z",     "+2026-11-20T10:00:00Z",    "2026-1-20T10:00:00Z",       "2026-11-20T10:00:00Z+00:00",
	};
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		struct wall wall = {7};
		assert_int_equal(time_parse(bytes_text(bad[i]), &wall), ERR_MALFORMED);
		assert_int_equal(wall.ns, 7);
	}
}

/* Against the C library, over four centuries of noons. */
static void dates_agree_with_libc(void **state)
{
	(void)state;
	for (int64_t day = -100000; day < 100000; day += 13) {
		time_t seconds = day * 86400 + 43200;
		struct tm tm;
		char want[TIME_TEXT_MAX], got[TIME_TEXT_MAX];
		struct wall back;
		gmtime_r(&seconds, &tm);
		strftime(want, sizeof(want), "%Y-%m-%dT%H:%M:%SZ", &tm);
		time_format(got, (struct wall){(int64_t)seconds * 1000000000});
		assert_string_equal(got, want);
		assert_int_equal(time_parse(bytes_text(got), &back), ERR_NONE);
		assert_true(back.ns == (int64_t)seconds * 1000000000);
	}
}

static void distances_count_edits(void **state)
{
	(void)state;
	static const struct {
		const char *a, *b;
		unsigned cap, want;
	} cases[] = {
		{"", "", 9, 0},
		{"abc", "abc", 9, 0},
		{"abc", "abd", 9, 1},
		{"abc", "ab", 9, 1},
		{"abc", "xabc", 9, 1},
		{"abc", "acb", 9, 1},
		{"kitten", "sitting", 9, 3},
		{"", "abc", 9, 3},
		{"listen_address", "listen_adress", 3, 1},
		{"abcdef", "ghijkl", 3, 3},
		{"abcdef", "ghijkl", 9, 6},
		{"a", "abcdefgh", 3, 3},
		{"abc", "abc", 0, 0},
		{"abc", "abd", 1, 1},
		{"xy", "yx", 2, 1},
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		assert_int_equal(text_distance(bytes_text(cases[i].a), bytes_text(cases[i].b), cases[i].cap), cases[i].want);
		assert_int_equal(text_distance(bytes_text(cases[i].b), bytes_text(cases[i].a), cases[i].cap), cases[i].want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(integers_are_strict),   cmocka_unit_test(hex_goes_there_and_back),    cmocka_unit_test(base64_is_strict),
		cmocka_unit_test(durations_are_strict),  cmocka_unit_test(times_are_read_and_written), cmocka_unit_test(bad_times_are_refused),
		cmocka_unit_test(dates_agree_with_libc), cmocka_unit_test(distances_count_edits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
