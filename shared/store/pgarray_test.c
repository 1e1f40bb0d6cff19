#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pgarray.h"

static void survives_the_way_there_and_back(void **state)
{
	static const char *const lists[][4] = {
		{NULL}, {"", NULL}, {"plain", NULL}, {"a,b", "c}d", "{", NULL}, {"quote\"", "back\\slash", " space ", NULL}, {"NULL", NULL},
	};
	struct arena *arena = arena_new();
	(void)state;
	for (size_t i = 0; i < COUNT_OF(lists); i++) {
		struct bytes values[4], *back;
		size_t count = 0;
		while (count < 4 && lists[i][count])
			values[count] = bytes_text(lists[i][count]), count++;
		const char *text = pgarray_format(arena, values, count);
		assert_int_equal(pgarray_parse(bytes_text(text), arena, &back), count);
		for (size_t j = 0; j < count; j++)
			assert_true(bytes_equal(back[j], values[j]));
	}
	arena_free(&arena);
}

static void reads_what_the_server_writes(void **state)
{
	struct arena *arena = arena_new();
	struct bytes *out;
	(void)state;
	assert_int_equal(pgarray_parse(BYTES("{a,\"b c\",NULL,\"\"}"), arena, &out), 4);
	assert_true(bytes_equal_text(out[0], "a"));
	assert_true(bytes_equal_text(out[1], "b c"));
	assert_int_equal(out[2].len, 0);
	assert_int_equal(out[3].len, 0);
	arena_free(&arena);
}

static void refuses_nothing_and_reads_nothing_of_what_is_no_array(void **state)
{
	static const char *const bad[] = {"", "{", "}", "x", "{}", "{\"", "\"}", "a}"};
	struct arena *arena = arena_new();
	struct bytes *out;
	(void)state;
	for (size_t i = 0; i < COUNT_OF(bad); i++)
		assert_int_equal(pgarray_parse(bytes_text(bad[i]), arena, &out), 0);
	/* Cut short inside: whatever it gives lies within. */
	(void)pgarray_parse(BYTES("{\"a\\}"), arena, &out);
	(void)pgarray_parse(BYTES("{a,,b,}"), arena, &out);
	arena_free(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(survives_the_way_there_and_back),
		cmocka_unit_test(reads_what_the_server_writes),
		cmocka_unit_test(refuses_nothing_and_reads_nothing_of_what_is_no_array),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
