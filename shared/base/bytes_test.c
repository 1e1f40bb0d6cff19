#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "bytes.h"

static void views_compare(void **state)
{
	(void)state;
	static const struct {
		const char *a, *b;
		int order;
	} cases[] = {{"", "", 0}, {"a", "a", 0}, {"a", "b", -1}, {"a", "ab", -1}, {"", "a", -1}, {"b", "ab", 1}, {"\xff", "a", 1}};
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct bytes a = bytes_text(cases[i].a), b = bytes_text(cases[i].b);
		int order = bytes_compare(a, b), back = bytes_compare(b, a);
		assert_int_equal((order > 0) - (order < 0), cases[i].order);
		assert_int_equal((back > 0) - (back < 0), -cases[i].order);
		assert_int_equal(bytes_equal(a, b), !cases[i].order);
		assert_int_equal(bytes_equal_text(a, cases[i].b), !cases[i].order);
	}
	assert_true(bytes_equal(BYTES_NONE, BYTES("")));
	assert_true(bytes_equal_nocase(BYTES("HoSt"), "host"));
	assert_true(bytes_equal_nocase(BYTES("host"), "HOST"));
	assert_false(bytes_equal_nocase(BYTES("host"), "hos"));
	assert_false(bytes_equal_nocase(BYTES("["), "{"));
	assert_true(bytes_starts(BYTES("abc"), "ab"));
	assert_true(bytes_starts(BYTES_NONE, ""));
	assert_false(bytes_starts(BYTES("a"), "ab"));
}

static void views_are_cut(void **state)
{
	(void)state;
	struct bytes b = BYTES("a,b,,c"), rest;
	assert_true(bytes_equal_text(bytes_skip(b, 4), ",c"));
	assert_int_equal(bytes_skip(b, 99).len, 0);
	assert_int_equal(bytes_skip(BYTES_NONE, 3).len, 0);
	assert_true(bytes_equal_text(bytes_take(b, 1), "a"));
	assert_int_equal(bytes_take(b, 99).len, 6);
	static const char *const parts[] = {"a", "b", "", "c"};
	size_t count = 0;
	for (rest = b; rest.at; count++) {
		struct bytes part = bytes_split(rest, ',', &rest);
		assert_true(bytes_equal_text(part, parts[count]));
	}
	assert_int_equal(count, 4);
	assert_true(bytes_equal_text(bytes_split(BYTES("x,"), ',', &rest), "x"));
	assert_non_null(rest.at);
	assert_int_equal(rest.len, 0);
	assert_true(bytes_equal_text(bytes_trim(BYTES(" \t\r\n a b \n")), "a b"));
	assert_int_equal(bytes_trim(BYTES(" \t ")).len, 0);
}

static void utf8_is_strict(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		bool good;
	} cases[] = {
		{"", true},
		{"plain", true},
		{"\x7f", true},
		{"\xc2\x80", true},
		{"\xdf\xbf", true},
		{"\xe0\xa0\x80", true},
		{"\xed\x9f\xbf", true},
		{"\xee\x80\x80", true},
		{"\xef\xbf\xbf", true},
		{"\xf0\x90\x80\x80", true},
		{"\xf4\x8f\xbf\xbf", true},
		{"a\xf0\x9f\x94\x91z", true},
		{"\x80", false},
		{"\xc0\xaf", false},
		{"\xc1\xbf", false},
		{"\xc2", false},
		{"\xc2"
		 "A",
		 false},
		{"\xe0\x9f\xbf", false},
		{"\xed\xa0\x80", false},
		{"\xed\xbf\xbf", false},
		{"\xe2\x82", false},
		{"\xf0\x8f\xbf\xbf", false},
		{"\xf4\x90\x80\x80", false},
		{"\xf5\x80\x80\x80", false},
		{"\xf0\x9f\x94", false},
		{"\xff", false},
		{"ok\xfe", false},
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		assert_int_equal(bytes_is_utf8(bytes_text(cases[i].text)), cases[i].good);
	assert_int_equal(bytes_utf8_len(BYTES("\xe2\x82\xac!")), 3);
	assert_int_equal(bytes_utf8_len(BYTES("\xe2\x82")), 0);
	assert_int_equal(bytes_utf8_len(BYTES_NONE), 0);
}

static void numbers_go_there_and_back(void **state)
{
	(void)state;
	uint8_t room[9];
	put_be16(room + 1, 0x1234);
	assert_int_equal(get_be16(room + 1), 0x1234);
	assert_int_equal(room[1], 0x12);
	put_be32(room + 1, 0x89abcdef);
	assert_int_equal(get_be32(room + 1), 0x89abcdef);
	put_be64(room + 1, 0x89abcdef01234567);
	assert_true(get_be64(room + 1) == 0x89abcdef01234567);
	put_le32(room + 1, 0x89abcdef);
	assert_int_equal(room[1], 0xef);
	assert_int_equal(get_le32(room + 1), 0x89abcdef);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(views_compare),
		cmocka_unit_test(views_are_cut),
		cmocka_unit_test(utf8_is_strict),
		cmocka_unit_test(numbers_go_there_and_back),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
