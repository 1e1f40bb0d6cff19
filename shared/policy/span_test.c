#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "span.h"

/* "10.0.0.0/8 1.2.3.4 5.0.0.0-5.0.0.9" as ranges, in that order. */
static size_t read_list(const char *text, struct span *list)
{
	struct bytes rest = bytes_text(text);
	size_t count = 0;
	while (rest.at && rest.len) {
		struct bytes last, word = bytes_split(rest, ' ', &rest), first = bytes_split(word, '-', &last);
		struct prefix from, to;
		assert_int_equal(prefix_parse(first, &from), ERR_NONE);
		assert_int_equal(prefix_parse(last.at ? last : first, &to), ERR_NONE);
		list[count++] = (struct span){span_of(from).first, span_of(to).last};
	}
	return count;
}

static struct spans read_set(struct arena *arena, const char *text)
{
	struct span list[64];
	size_t count = read_list(text, list);
	struct span *own = ARENA_ARRAY(arena, struct span, count);
	if (count)
		memcpy(own, list, count * sizeof *own);
	return spans_of(own, count);
}

static const char *text_of(struct arena *arena, struct spans set)
{
	char *text = arena_format(arena, "%s", "");
	for (size_t i = 0; i < set.count; i++) {
		char one[SPAN_TEXT_MAX];
		size_t len = span_format(one, set.list[i]);
		assert_int_equal(len, strlen(one));
		text = arena_format(arena, "%s%s%s", text, i ? " " : "", one);
	}
	return text;
}

static const struct {
	const char *a, *b, *joined, *minus;
} sums[] = {
	{"", "", "", ""},
	{"10.0.0.0/8", "", "10.0.0.0/8", "10.0.0.0/8"},
	{"", "10.0.0.0/8", "10.0.0.0/8", ""},
	{"10.0.0.1 10.0.0.0", "10.0.0.2", "10.0.0.0-10.0.0.2", "10.0.0.0/31"},
	{"10.0.0.0/9", "10.128.0.0/9", "10.0.0.0/8", "10.0.0.0/9"},
	{"10.0.0.0/8", "10.1.0.0/16", "10.0.0.0/8", "10.0.0.0/16 10.2.0.0-10.255.255.255"},
	{"10.0.0.0/8 11.0.0.0/8", "10.255.0.0-11.0.255.255", "10.0.0.0/7", "10.0.0.0-10.254.255.255 11.1.0.0-11.255.255.255"},
	{"10.0.0.0/30 10.0.0.8/30 10.0.0.16/30", "10.0.0.2-10.0.0.17", "10.0.0.0-10.0.0.19", "10.0.0.0/31 10.0.0.18/31"},
	{"fd00::/8 255.255.255.255", "0.0.0.0 ::", "0.0.0.0 255.255.255.255 :: fd00::/8", "255.255.255.255 fd00::/8"},
	{"0.0.0.0/0 ::/0", "0.0.0.0 255.255.255.255 :: ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "0.0.0.0/0 ::/0",
	 "0.0.0.1-255.255.255.254 ::1-ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe"},
	{"10.0.0.1-10.0.0.3 10.0.0.5", "10.0.0.1 10.0.0.3 10.0.0.5", "10.0.0.1-10.0.0.3 10.0.0.5", "10.0.0.2"},
};

static void sets_are_joined_and_taken_away(void **state)
{
	(void)state;
	struct arena *arena = arena_new();
	for (size_t i = 0; i < COUNT_OF(sums); i++) {
		struct spans a = read_set(arena, sums[i].a), b = read_set(arena, sums[i].b);
		assert_string_equal(text_of(arena, spans_union(arena, a, b)), sums[i].joined);
		assert_string_equal(text_of(arena, spans_minus(arena, a, b)), sums[i].minus);
	}
	arena_free(&arena);
}

static void sets_are_asked(void **state)
{
	(void)state;
	struct arena *arena = arena_new();
	struct spans set = read_set(arena, "10.0.0.0/8 10.255.0.0-11.0.0.5 100.64.0.1 fd00::/8");
	static const struct {
		const char *span;
		bool overlaps, covered;
	} asked[] = {
		{"9.255.255.255", false, false},
		{"10.0.0.0", true, true},
		{"11.0.0.5", true, true},
		{"11.0.0.6", false, false},
		{"11.0.0.0-11.0.0.6", true, false},
		{"11.0.0.6-100.64.0.0", false, false},
		{"0.0.0.0/0", true, false},
		{"10.3.0.0/16", true, true},
		{"fd00::/7", true, false},
		{"fd7a::1", true, true},
		{"::/64", false, false},
	};
	for (size_t i = 0; i < COUNT_OF(asked); i++) {
		struct span span;
		read_list(asked[i].span, &span);
		assert_int_equal(spans_overlap(set, span), asked[i].overlaps);
		assert_int_equal(spans_covers(set, span), asked[i].covered);
		if (ip_equal(span.first, span.last))
			assert_int_equal(spans_has(set, span.first), asked[i].covered);
	}
	assert_false(spans_has(set, (struct ip){0}));
	arena_free(&arena);
}

static void ranges_are_fewest_prefixes(void **state)
{
	(void)state;
	static const struct {
		const char *span, *prefixes;
	} cases[] = {
		{"10.0.0.0/8", "10.0.0.0/8"},
		{"10.0.0.1-10.0.0.6", "10.0.0.1/32 10.0.0.2/31 10.0.0.4/31 10.0.0.6/32"},
		{"100.64.0.0-100.115.91.255", "100.64.0.0/11 100.96.0.0/12 100.112.0.0/15 100.114.0.0/16 100.115.0.0/18 100.115.64.0/20 100.115.80.0/21 "
					      "100.115.88.0/22"},
		{"0.0.0.0/0", "0.0.0.0/0"},
		{"::/0", "::/0"},
		{"255.255.255.254-255.255.255.255", "255.255.255.254/31"},
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct prefix out[256];
		struct span span;
		char all[1024] = "";
		read_list(cases[i].span, &span);
		for (size_t k = 0, count = span_prefixes(span, out); k < count; k++) {
			char one[PREFIX_TEXT_MAX];
			prefix_format(one, out[k]);
			strcat(strcat(all, k ? " " : ""), one);
		}
		assert_string_equal(all, cases[i].prefixes);
	}
}

static void the_longest_range_has_room(void **state)
{
	(void)state;
	struct prefix out[256];
	struct span span;
	read_list("::1-ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe", &span);
	assert_int_equal(span_prefixes(span, out), 254);
	assert_int_equal(out[253].bits, 128);
	assert_true(ip_equal(out[253].ip, span.last));
	read_list("0.0.0.1-255.255.255.254", &span);
	assert_int_equal(span_prefixes(span, out), 62);
}

static void known_sets(void **state)
{
	(void)state;
	struct arena *arena = arena_new();
	struct spans all = read_set(arena, "0.0.0.0/0 2000::/3"), private = read_set(arena, "10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 169.254.0.0/16 "
											    "100.64.0.0/10 fc00::/7 fe80::/10");
	assert_string_equal(text_of(arena, spans_internet()), text_of(arena, spans_minus(arena, all, private)));
	struct spans tailnet = read_set(arena, "100.64.0.0/10 fd7a:115c:a1e0::/48");
	assert_string_equal(text_of(arena, spans_wildcard()), text_of(arena, spans_minus(arena, tailnet, read_set(arena, "100.115.92.0/23"))));
	assert_string_equal(text_of(arena, spans_wildcard()), "100.64.0.0-100.115.91.255 100.115.94.0-100.127.255.255 fd7a:115c:a1e0::/48");
	arena_free(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sets_are_joined_and_taken_away), cmocka_unit_test(sets_are_asked), cmocka_unit_test(ranges_are_fewest_prefixes),
		cmocka_unit_test(the_longest_range_has_room),     cmocka_unit_test(known_sets),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
