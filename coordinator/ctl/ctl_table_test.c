#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "ctl_table.h"

static const struct ctl_heading headings[] = {{"ID", 0, 0}, {"Name", 4, 0}, {"Owner", 4, 1}, {"Seen", 0, 2}};

enum { COLUMNS = COUNT_OF(headings) };

static char *print(unsigned width, const char *const *cells, size_t rows)
{
	char *text;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	ctl_table_print(out, width, headings, COLUMNS, cells, rows);
	fclose(out);
	return text;
}

static void tables_fit(void **state)
{
	static const char *const cells[] = {"1", "alpha", "zoe", "2026-01-02 03:04:05", "12", "a-long-name", "tag:server", "-"};
	static const struct {
		unsigned width;
		const char *want;
	} cases[] = {
		{0, "ID  Name         Owner       Seen\n"
		    "1   alpha        zoe         2026-01-02 03:04:05\n"
		    "12  a-long-name  tag:server  -\n"},
		{48, "ID  Name         Owner       Seen\n"
		     "1   alpha        zoe         2026-01-02 03:04:05\n"
		     "12  a-long-name  tag:server  -\n"},
		{45, "ID  Name       Owner      Seen\n"
		     "1   alpha      zoe        2026-01-02 03:04:05\n"
		     "12  a-long-n…  tag:serv…  -\n"},
		/* The last column goes before the others are cut past their least. */
		{27, "ID  Name         Owner\n"
		     "1   alpha        zoe\n"
		     "12  a-long-name  tag:server\n"},
		{12, "ID  Name\n"
		     "1   alpha\n"
		     "12  a-long-…\n"},
		/* What cannot fit is shown all the same. */
		{3, "ID  Name\n"
		    "1   alp…\n"
		    "12  a-l…\n"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		char *text = print(cases[i].width, cells, 2);

		assert_string_equal(text, cases[i].want);
		free(text);
	}
}

static void no_rows_leave_the_titles(void **state)
{
	char *text = print(80, NULL, 0);

	(void)state;
	assert_string_equal(text, "ID  Name  Owner  Seen\n");
	free(text);
}

static void cells_do_not_steer_the_terminal(void **state)
{
	static const char *const cells[] = {"\x1b[2J", "caf\xc3\xa9", "\xff\xfe", "a\nb\x7f\xc2\x9b\xe2\x80\xae"};
	char *text = print(0, cells, 1);

	(void)state;
	assert_string_equal(text, "ID    Name  Owner  Seen\n?[2J  caf\xc3\xa9  ??     a?b???\n");
	free(text);
}

static void one_thing_is_a_list_of_lines(void **state)
{
	static const char *const cells[] = {"1", "alpha", "", "-"};
	char *text;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	(void)state;
	ctl_table_print_one(out, headings, COLUMNS, cells);
	fclose(out);
	assert_string_equal(text, "ID    1\nName  alpha\nSeen  -\n");
	free(text);
}

static void neither_does_what_others_said(void **state)
{
	char *text;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	(void)state;
	ctl_table_print_text(out, "no\n\tpeer \x1b]0;x\x07 caf\xc3\xa9 \xe2\x80\xae\r");
	fclose(out);
	assert_string_equal(text, "no\n\tpeer ?]0;x? caf\xc3\xa9 ??");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tables_fit),
		cmocka_unit_test(no_rows_leave_the_titles),
		cmocka_unit_test(cells_do_not_steer_the_terminal),
		cmocka_unit_test(one_thing_is_a_list_of_lines),
		cmocka_unit_test(neither_does_what_others_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
