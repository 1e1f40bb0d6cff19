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

/* "1p+ 2- 3!": nodes by age; p: is primary, +: online, !: online and unreachable, -: offline. */
static size_t routers_of(const char *text, struct route_router *out)
{
	struct bytes rest = bytes_text(text);
	size_t count = 0;
	while (rest.len) {
		struct bytes one = bytes_split(rest, ' ', &rest);
		char state = (char)one.at[one.len - 1];
		assert_true(count < MOST);
		out[count++] = (struct route_router){
			.node = one.at[0] - '0',
			.created = {one.at[0] - '0'},
			.online = state != '-',
			.unreachable = state == '!',
			.is_primary = one.at[1] == 'p',
		};
	}
	return count;
}

static void elects(void **state)
{
	(void)state;
	static const struct {
		const char *routers;
		uint64_t chosen;
	} trials[] = {
		{"", 0},          {"1p+", 0},    {"1p+ 2+", 0},    {"1+ 2p+", 0}, /* who came back does not take it back */
		{"1p- 2+", 2},    {"1p! 2+", 2}, {"1p- 2! 3+", 3},                /* who answers goes before who was made first */
		{"1p- 2!", 2},    {"1p! 2!", 0},                                  /* nobody answers: it stays */
		{"1! 2p!", 0},    {"1p! 2-", 0}, {"1p- 2-", 0},                   /* nobody is there: it stays */
		{"1p- 3+ 2+", 2},                                                 /* the order of the list is nothing */
		{"2+ 1+", 1},                                                     /* without a primary */
		{"1- 2-", 0},     {"1- 2!", 2},
	};
	for (size_t i = 0; i < COUNT_OF(trials); i++) {
		struct route_router routers[MOST];
		size_t count = routers_of(trials[i].routers, routers);
		if (route_elect(routers, count) != trials[i].chosen)
			fail_msg("%s: not %u", trials[i].routers, (unsigned)trials[i].chosen);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(serves), cmocka_unit_test(elects), cmocka_unit_test(knows_exits)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
