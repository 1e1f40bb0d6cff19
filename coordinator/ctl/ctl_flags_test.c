#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "clock.h"
#include "ctl_flags.h"

static const struct ctl_flag table[] = {
	{"user", 'u', false, CTL_TEXT, "USER", NULL, "text"},  {"id", 'i', false, CTL_NUMBER, "ID", NULL, "number"},
	{"tags", 't', false, CTL_LIST, "TAGS", NULL, "list"},  {"expiration", 'e', false, CTL_WHEN, "WHEN", "1h", "time"},
	{"force", 0, false, CTL_SWITCH, NULL, NULL, "switch"}, {0},
};

static enum err read_words(struct ctl_flags *f, int argc, const char *const *words, struct diag *why)
{
	enum err e = ERR_NONE;
	int at = 0;

	*f = (struct ctl_flags){0};
	ctl_flags_know(f, table);
	while (!e && at < argc)
		e = ctl_flags_take(f, argc, (char **)words, &at, why);
	return e;
}

static void values_come_in_every_form(void **state)
{
	static const struct {
		const char *words[4], *name, *want;
	} cases[] = {
		{{"--user", "zoe"}, "user", "zoe"},    {{"--user=zoe"}, "user", "zoe"},       {{"--user="}, "user", ""},    {{"--user", ""}, "user", ""},
		{{"--user=a=b"}, "user", "a=b"},       {{"-u", "zoe"}, "user", "zoe"},        {{"-uzoe"}, "user", "zoe"},   {{"-u=zoe"}, "user", "zoe"},
		{{"-u", "-x"}, "user", "-x"},          {{"-u", "a", "-u", "b"}, "user", "b"}, {{"--id", "18"}, "id", "18"}, {{"--force"}, "force", "true"},
		{{"--force=false"}, "force", "false"}, {{"--force"}, "expiration", "1h"},     {{"--force"}, "user", NULL},
	};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct ctl_flags f;
		struct diag why = {0};
		int argc = 0;

		while (argc < 4 && cases[i].words[argc])
			argc++;
		assert_int_equal(read_words(&f, argc, cases[i].words, &why), ERR_NONE);
		if (cases[i].want)
			assert_string_equal(ctl_flags_text(&f, cases[i].name), cases[i].want);
		else
			assert_null(ctl_flags_text(&f, cases[i].name));
	}
}

static void wrong_words_are_named(void **state)
{
	static const struct {
		const char *words[3], *want;
	} cases[] = {
		{{"--usr", "zoe"}, "unknown flag --usr; did you mean --user?"},
		{{"--quite-another"}, "unknown flag --quite-another"},
		{{"-x"}, "unknown flag -x"},
		{{"--user"}, "--user wants a value: USER"},
		{{"-u"}, "--user wants a value: USER"},
		{{"--id", "zoe"}, "--id wants a decimal number, not \"zoe\""},
		{{"--id", "-1"}, "--id wants a decimal number, not \"-1\""},
		{{"--id", ""}, "--id wants a decimal number, not \"\""},
		{{"--force=perhaps"}, "--force is a switch: true or false, not \"perhaps\""},
		{{"-e", "soon"}, "--expiration wants a duration (90d, 12h, 30m) or a time (2030-01-31T12:00:00Z), not \"soon\""},
		{{"-u", "\xff"}, "--user is not UTF-8"},
		{{"---"}, "unknown flag ---; did you mean --id?"},
	};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct ctl_flags f;
		struct diag why = {0};
		int argc = 0;

		while (argc < 3 && cases[i].words[argc])
			argc++;
		assert_int_equal(read_words(&f, argc, cases[i].words, &why), ERR_MALFORMED);
		assert_string_equal(why.text, cases[i].want);
	}
}

static void lists_add_up(void **state)
{
	const char *const words[] = {"-t", "tag:a, tag:b", "--tags=tag:c,", "-t", ""};
	struct ctl_flags f;
	struct diag why = {0};
	json_t *list;

	(void)state;
	assert_int_equal(read_words(&f, COUNT_OF(words), words, &why), ERR_NONE);
	list = ctl_flags_list(&f, "tags");
	assert_int_equal(json_array_size(list), 3);
	assert_string_equal(json_string_value(json_array_get(list, 1)), "tag:b");
	assert_string_equal(json_string_value(json_array_get(list, 2)), "tag:c");
	json_decref(list);
}

static void lists_have_an_end(void **state)
{
	const char *words[2 * (CTL_REPEATS_MAX + 1)];
	struct ctl_flags f;
	struct diag why = {0};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(words); i++)
		words[i] = i % 2 ? "tag:a" : "-t";
	assert_int_equal(read_words(&f, COUNT_OF(words) - 2, words, &why), ERR_NONE);
	assert_int_equal(read_words(&f, COUNT_OF(words), words, &why), ERR_MALFORMED);
}

static void times_are_absolute(void **state)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{"90d", "2023-06-05T00:00:00Z"},
		{"1h30m", "2023-03-07T01:30:00Z"},
		{"2030-01-31T12:00:00+01:00", "2030-01-31T11:00:00Z"},
		{"100000d", "2262-04-11T23:47:16.854Z"}, /* no farther than a time can be */
	};
	struct arena *arena = arena_new();

	(void)state;
	clock_set_by_hand((struct mono){0}, wall_of_ms(INT64_C(1678147200000)));
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		const char *const words[] = {"-e", cases[i].text};
		struct ctl_flags f;
		struct diag why = {0};

		assert_int_equal(read_words(&f, 2, words, &why), ERR_NONE);
		assert_string_equal(ctl_flags_when(&f, "expiration", arena), cases[i].want);
	}
	arena_free(&arena);
}

static void required_flags_are_missed(void **state)
{
	static const struct ctl_flag needy[] = {{"id", 'i', true, CTL_NUMBER, "ID", NULL, "number"}, {0}};
	const char *const words[] = {"-i", "1"};
	struct ctl_flags f = {0};
	struct diag why = {0};
	int at = 0;

	(void)state;
	ctl_flags_know(&f, needy);
	assert_int_equal(ctl_flags_finish(&f, &why), ERR_MALFORMED);
	assert_string_equal(why.text, "--id ID is missing");
	assert_int_equal(ctl_flags_take(&f, 2, (char **)words, &at, &why), ERR_NONE);
	assert_int_equal(at, 2);
	assert_int_equal(ctl_flags_finish(&f, &why), ERR_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_come_in_every_form), cmocka_unit_test(wrong_words_are_named),     cmocka_unit_test(lists_add_up),
		cmocka_unit_test(lists_have_an_end),         cmocka_unit_test(required_flags_are_missed), cmocka_unit_test(times_are_absolute),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
