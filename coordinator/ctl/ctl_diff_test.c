#include "ctl_diff.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "mem.h"

static void expect(const char *before, const char *after, const char *told, size_t lines)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	assert_int_equal(ctl_diff(out, bytes_text(before), bytes_text(after)), lines);
	fclose(out);
	assert_string_equal(text, told);
	free(text);
}

static void lines_that_went_and_came(void **state)
{
	(void)state;
	expect("", "", "", 0);
	expect("a\nb\n", "a\nb\n", "", 0);
	expect("", "a\n", "@@ -1,0 +1,1 @@\n+a\n", 1);
	expect("a\nb\nc\n", "a\nc\n", "@@ -1,3 +1,2 @@\n a\n-b\n c\n", 1);
	expect("a\nb\nc\nd\n", "a\nx\nc\ny\nd\n", "@@ -1,4 +1,5 @@\n a\n-b\n+x\n c\n+y\n d\n", 3);
	expect("1\n2\n3\n4\n5\n", "1\n2\n3\n4\n6\n", "@@ -2,4 +2,4 @@\n 2\n 3\n 4\n-5\n+6\n", 2);
}

/* Too much for a table: one block, and no memory for it. */
static void long_texts_are_one_block(void **state)
{
	enum { LINES = 20000 };
	char *a = x_zalloc(3 * LINES + 1), *b = x_zalloc(3 * LINES + 1);
	FILE *out = fopen("/dev/null", "w");

	(void)state;
	for (int i = 0; i < LINES; i++) {
		memcpy(a + 2 * i, i ? "m\n" : "a\n", 2);
		memcpy(b + 2 * i, i ? "n\n" : "b\n", 2);
	}
	assert_int_equal(ctl_diff(out, bytes_text(a), bytes_text(b)), 2 * LINES);
	fclose(out);
	free(a);
	free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(lines_that_went_and_came), cmocka_unit_test(long_texts_are_one_block)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
