#include "nodefacts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct arena *arena;
static struct roll_fact *facts;
static size_t count;

static int open_arena(void **state)
{
	(void)state;
	arena = arena_new();
	return 0;
}

static int close_arena(void **state)
{
	(void)state;
	arena_free(&arena);
	return 0;
}

static void expect(const char *name, const char *value)
{
	for (size_t i = 0; i < count; i++)
		if (bytes_equal_text(facts[i].name, name)) {
			if (!bytes_equal_text(facts[i].value, value))
				fail_msg("%s is %.*s", name, BYTES_ARG(facts[i].value));
			return;
		}
	if (*value)
		fail_msg("no %s", name);
}

static void a_client_tells(void **state)
{
	(void)state;
	count = nodefacts_of(arena, BYTES("{\"OS\":\"macOS\",\"OSVersion\":\"14.1\",\"IPNVersion\":\"1.97.3-t1\"}"), NULL, 0, &facts);
	assert_int_equal(count, 4);
	expect("node:os", "macos");
	expect("node:osVersion", "14.1");
	expect("node:tsVersion", "1.97.3");
	expect("node:tsReleaseTrack", "unstable");
	count = nodefacts_of(arena, BYTES("{\"IPNVersion\":\"1.98\"}"), NULL, 0, &facts);
	assert_int_equal(count, 2);
	expect("node:tsReleaseTrack", "stable");
}

static void attributes_stand_beside(void **state)
{
	const struct roll_fact given[] = {{BYTES("custom:tier"), BYTES("2")}, {BYTES("node:os"), BYTES("plan9")}};
	(void)state;
	count = nodefacts_of(arena, BYTES("{\"OS\":\"linux\"}"), given, 2, &facts);
	assert_int_equal(count, 2);
	expect("node:os", "linux");
	expect("custom:tier", "2");
	/* What cannot be read tells nothing. */
	count = nodefacts_of(arena, BYTES("{"), given, 1, &facts);
	assert_int_equal(count, 1);
	count = nodefacts_of(arena, BYTES("[1]"), given, 0, &facts);
	assert_int_equal(count, 0);
	count = nodefacts_of(arena, BYTES("{\"OS\":7,\"IPNVersion\":\"1\"}"), given, 0, &facts);
	assert_int_equal(count, 1);
	expect("node:tsVersion", "1");
	expect("node:os", "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_client_tells, open_arena, close_arena),
		cmocka_unit_test_setup_teardown(attributes_stand_beside, open_arena, close_arena),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
