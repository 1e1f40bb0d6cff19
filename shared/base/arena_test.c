#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "arena.h"

static void pieces_are_zeroed_aligned_and_apart(void **state)
{
	(void)state;
	struct arena *a = arena_new();
	enum { PIECES = 3000 };
	static uint8_t *pieces[PIECES];
	for (int round = 0; round < 3; round++) {
		for (size_t i = 0; i < PIECES; i++) {
			size_t size = i * 37 % 200 + (i % 500 == 0 ? 70000 : 0);
			pieces[i] = arena_alloc(a, size);
			assert_int_equal((uintptr_t)pieces[i] % 16, 0);
			for (size_t at = 0; at < size; at++) {
				assert_int_equal(pieces[i][at], 0);
				pieces[i][at] = (uint8_t)i;
			}
		}
		for (size_t i = 0; i < PIECES; i++) {
			for (size_t at = 0; at < i * 37 % 200; at++)
				assert_int_equal(pieces[i][at], (uint8_t)i);
		}
		assert_true(arena_size(a) > PIECES * 99);
		arena_reset(a);
		assert_true(arena_size(a) < 5000);
	}
	arena_free(&a);
	assert_null(a);
	arena_free(&a);
}

static void texts_are_copied(void **state)
{
	(void)state;
	struct arena *a = arena_new();
	char source[] = "hello, world";
	struct bytes copy = arena_copy(a, bytes_of(source, 5));
	char *text = arena_text(a, bytes_of(source, 5));
	source[0] = 'X';
	assert_true(bytes_equal_text(copy, "hello"));
	assert_int_equal(copy.at[5], 0);
	assert_string_equal(text, "hello");
	assert_string_equal(arena_text(a, BYTES_NONE), "");
	assert_string_equal(arena_format(a, "%s-%d", "n", 7), "n-7");
	assert_int_equal(strlen(arena_format(a, "%9000s", "")), 9000);
	uint64_t *numbers = ARENA_ARRAY(a, uint64_t, 4);
	assert_true(numbers[3] == 0);
	assert_non_null(ARENA_NEW(a, struct bytes));
	arena_free(&a);
}

static void the_first_block_stays(void **state)
{
	(void)state;
	struct arena *a = arena_new();
	size_t small = arena_size(a);
	assert_true(small <= 4200);
	arena_alloc(a, 1 << 20); /* before the first block is full, hence it stands beside it */
	arena_alloc(a, 8);
	assert_true(arena_size(a) < small + (1 << 20) + 200);
	arena_reset(a);
	assert_int_equal(arena_size(a), small);
	arena_free(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pieces_are_zeroed_aligned_and_apart),
		cmocka_unit_test(texts_are_copied),
		cmocka_unit_test(the_first_block_stays),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
