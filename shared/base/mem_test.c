#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mem.h"

static void memory_is_there(void **state)
{
	(void)state;
	void *none = x_alloc(0), *grown = x_realloc(NULL, 10);
	uint8_t *zeroed = x_zalloc(100), *copy = x_dup("abc", 3), *nothing = x_dup(NULL, 0);
	char *text = x_strdup("text");
	assert_non_null(none);
	assert_non_null(nothing);
	for (size_t i = 0; i < 100; i++)
		assert_int_equal(zeroed[i], 0);
	assert_memory_equal(copy, "abc", 3);
	assert_string_equal(text, "text");
	grown = x_realloc(grown, 1000);
	memset(grown, 1, 1000);
	free(none);
	free(nothing);
	free(zeroed);
	free(copy);
	free(text);
	free(grown);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(memory_is_there)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
