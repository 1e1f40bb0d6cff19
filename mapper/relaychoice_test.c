#include "relaychoice.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct relay_node node = {.name = BYTES("n"), .host_name = BYTES("h")};
static uint64_t seven[] = {7};
static struct relay_region regions[] = {
	{.id = 1, .code = BYTES("a"), .name = BYTES("A"), .nodes = &node, .node_count = 1},
	{.id = 2, .code = BYTES("b"), .name = BYTES("B"), .nodes = &node, .node_count = 1},
	{.id = 3, .code = BYTES("c"), .name = BYTES("C"), .nodes = &node, .node_count = 1, .tailnets = seven, .tailnet_count = 1},
};

/* Regions shown, regions held back, homes: "12|3 2". */
static void wants(const struct settings_relays *settings, uint64_t tailnet, const char *text)
{
	struct relaychoice c = {0};
	struct buffer out, found;
	size_t homes;
	unsigned divided = 0;
	relaychoice_set(&c, settings);
	assert_false(relaychoice_set(&c, settings));
	buffer_init(&out, 1 << 16);
	buffer_init(&found, 100);
	assert_int_equal(relaychoice_encode(&c, tailnet, regions, COUNT_OF(regions), &out, &homes), ERR_NONE);
	assert_int_equal(buffer_add_byte(&out, 0), ERR_NONE);
	char *at = strstr((char *)out.at, "\"Regions\""), *leaving = strstr((char *)out.at, "\"Leaving\"");
	for (const char *r = at; (r = strstr(r, "\"RegionCode\"")); r++) {
		if (leaving && r > leaving && !divided++)
			assert_int_equal(buffer_add_byte(&found, '|'), ERR_NONE);
		assert_int_equal(buffer_add_byte(&found, (uint8_t)r[14]), ERR_NONE);
	}
	assert_int_equal(buffer_format(&found, " %zu", homes), ERR_NONE);
	assert_int_equal(buffer_add_byte(&found, 0), ERR_NONE);
	assert_string_equal((char *)found.at, text);
	buffer_clear(&out);
	buffer_clear(&found);
	relaychoice_clear(&c);
}

static void settings_choose(void **state)
{
	uint64_t one[] = {1}, three[] = {3}, both[] = {1, 2};
	(void)state;
	wants(&(struct settings_relays){0}, 5, "ab 2");
	wants(&(struct settings_relays){0}, 7, "abc 3");
	wants(&(struct settings_relays){.omit_shared = true}, 7, "c|ab 1");
	wants(&(struct settings_relays){.fence = one, .fence_count = 1}, 7, "a|bc 1");
	wants(&(struct settings_relays){.fence = three, .fence_count = 1}, 5, "|ab 0");
	wants(&(struct settings_relays){.omit = one, .omit_count = 1}, 7, "bc|a 2");
	wants(&(struct settings_relays){.no_home = both, .no_home_count = 2}, 5, "ab|ab 0");
}

/* Beside the region that is marked lies the same without the mark, for those who are at home there still. */
static void what_is_marked_is_there_unmarked(void **state)
{
	uint64_t one[] = {1};
	struct settings_relays settings = {.no_home = one, .no_home_count = 1};
	struct relaychoice c = {0};
	struct buffer out;
	size_t homes;
	(void)state;
	relaychoice_set(&c, &settings);
	buffer_init(&out, 1 << 16);
	assert_int_equal(relaychoice_encode(&c, 5, regions, 2, &out, &homes), ERR_NONE);
	assert_int_equal(buffer_add_byte(&out, 0), ERR_NONE);
	char *leaving = strstr((char *)out.at, "\"Leaving\""), *marked = strstr((char *)out.at, "\"NoMeasureNoHome\":true");
	assert_true(leaving && marked && marked < leaving);
	assert_null(strstr(leaving, "NoMeasureNoHome"));
	assert_non_null(strstr(leaving, "\"RegionCode\":\"a\""));
	assert_int_equal(homes, 1);
	buffer_clear(&out);
	relaychoice_clear(&c);
}

static void only_another_choice_is_told(void **state)
{
	uint64_t one[] = {1}, two[] = {2}, both[] = {1, 2}, turned[] = {2, 1};
	struct settings_relays lists[] = {
		{0},
		{.omit_shared = true},
		{.omit_shared = true, .fence = one, .fence_count = 1},
		{.omit_shared = true, .fence = two, .fence_count = 1},
		{.omit_shared = true, .fence = both, .fence_count = 2},
		{.omit_shared = true, .fence = turned, .fence_count = 2},
		{.omit_shared = true, .omit = one, .omit_count = 1},
		{.omit_shared = true, .omit = two, .omit_count = 1},
		{.omit_shared = true, .no_home = one, .no_home_count = 1},
		{.omit_shared = true, .no_home = two, .no_home_count = 1},
		{0},
	};
	struct relaychoice c = {0};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(lists); i++) {
		assert_int_equal(relaychoice_set(&c, &lists[i]), i > 0);
		assert_false(relaychoice_set(&c, &lists[i]));
	}
	/* A copy of its own. */
	assert_true(relaychoice_set(&c, &lists[2]));
	one[0] = 5;
	assert_true(relaychoice_set(&c, &lists[2]));
	relaychoice_clear(&c);
	assert_false(relaychoice_set(&c, &lists[0]));
	relaychoice_clear(&c);
}

/* A region without relays is in no map; one that is nobody's home for all stays so. */
static void regions_say_something_themselves(void **state)
{
	uint64_t two[] = {2};
	(void)state;
	regions[0].node_count = 0;
	wants(&(struct settings_relays){0}, 7, "bc 2");
	wants(&(struct settings_relays){.omit_shared = true}, 7, "c|b 1");
	regions[0].node_count = 1;
	regions[0].no_measure_no_home = true;
	wants(&(struct settings_relays){0}, 5, "ab|a 1");
	wants(&(struct settings_relays){.no_home = two, .no_home_count = 1}, 5, "ab|ab 0");
	regions[0].no_measure_no_home = false;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(settings_choose),
		cmocka_unit_test(what_is_marked_is_there_unmarked),
		cmocka_unit_test(only_another_choice_is_told),
		cmocka_unit_test(regions_say_something_themselves),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
