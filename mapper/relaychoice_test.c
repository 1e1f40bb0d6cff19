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
	wants(&(struct settings_relays){0}, 5, "ab|c 2");
	wants(&(struct settings_relays){0}, 7, "abc 3");
	wants(&(struct settings_relays){.omit_shared = true}, 7, "c|ab 1");
	wants(&(struct settings_relays){.fence = one, .fence_count = 1}, 7, "a|bc 1");
	wants(&(struct settings_relays){.fence = three, .fence_count = 1}, 5, "|abc 0");
	wants(&(struct settings_relays){.omit = one, .omit_count = 1}, 7, "bc|a 2");
	wants(&(struct settings_relays){.no_home = both, .no_home_count = 2}, 5, "ab|c 0");
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(settings_choose)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
