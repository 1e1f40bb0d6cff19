#include "route.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { MOST = 8 };

static size_t parse_list(const char *text, struct prefix *out)
{
	struct bytes rest = bytes_text(text);
	size_t count = 0;
	while (rest.len) {
		struct bytes one = bytes_split(rest, ' ', &rest);
		assert_true(count < MOST);
		assert_int_equal(prefix_parse(one, &out[count++]), ERR_NONE);
	}
	return count;
}

static void serves(void **state)
{
	(void)state;
	static const struct {
		const char *advertised, *approved, *served;
	} trials[] = {
		{"", "", ""},
		{"10.0.0.0/8", "", ""},
		{"", "10.0.0.0/8", ""},
		{"10.0.0.0/8", "10.0.0.0/8", "10.0.0.0/8"},
		{"10.0.0.0/8", "10.0.0.0/9", ""},
		{"10.1.2.3/8", "10.0.0.0/8", "10.0.0.0/8"},
		{"10.0.0.0/8", "10.1.2.3/8", "10.0.0.0/8"},
		{"10.0.0.0/8 9.0.0.0/8", "10.0.0.0/8 9.0.0.0/8 10.0.0.0/8", "9.0.0.0/8 10.0.0.0/8"},
		{"0.0.0.0/0 ::/0", "0.0.0.0/0 ::/0", "0.0.0.0/0 ::/0"},
		{"0.0.0.0/0 ::/0", "0.0.0.0/0", ""},
		{"0.0.0.0/0", "0.0.0.0/0 ::/0", ""},
		{"::/0 10.0.0.0/8", "::/0 10.0.0.0/8", "10.0.0.0/8"},
		{"0.0.0.0/0 ::/0 fd00::/64", "fd00::/64 ::/0 0.0.0.0/0", "0.0.0.0/0 ::/0 fd00::/64"},
	};
	for (size_t i = 0; i < COUNT_OF(trials); i++) {
		struct prefix advertised[MOST], approved[MOST], served[MOST], wanted[MOST];
		struct node node = {.routes_advertised = advertised, .routes_approved = approved};
		node.advertised_count = parse_list(trials[i].advertised, advertised);
		node.approved_count = parse_list(trials[i].approved, approved);
		size_t count = route_served(&node, served), want = parse_list(trials[i].served, wanted);
		assert_int_equal(count, want);
		for (size_t r = 0; r < count; r++)
			assert_int_equal(prefix_compare(served[r], wanted[r]), 0);
	}
}

static void knows_exits(void **state)
{
	(void)state;
	struct prefix p[MOST];
	size_t count = parse_list("0.0.0.0/0 ::/0 0.0.0.0/1 ::/1", p);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(route_is_exit(p[i]), i < 2);
	assert_false(route_is_exit((struct prefix){0}));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(serves), cmocka_unit_test(knows_exits)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
