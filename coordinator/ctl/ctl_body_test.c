#include "ctl_body.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct ctl_flag flags[] = {
	{"name", 0, false, CTL_TEXT, "TEXT", NULL, "text"},      {"port", 0, false, CTL_TEXT, "PORT", NULL, "whole number"},
	{"score", 0, false, CTL_TEXT, "FACTOR", "1", "number"},  {"mesh", 0, false, CTL_SWITCH, NULL, NULL, "switch"},
	{"tailnets", 0, false, CTL_LIST, "NAMES", NULL, "list"}, {0},
};

static const struct ctl_member members[] = {
	{"name", "hostName", CTL_BODY_TEXT}, {"port", "stunPort", CTL_BODY_INT},      {"score", "score", CTL_BODY_REAL},
	{"mesh", "mesh", CTL_BODY_BOOL},     {"tailnets", "tailnets", CTL_BODY_LIST}, {0},
};

/* The body of those words as JSON, or NULL for wrong use, which *told has. */
static char *body_of(int argc, const char *const *words, char **told)
{
	struct ctl c = {.arena = arena_new(), .out = stdout};
	json_t *body = json_object();
	size_t len;
	int at = 0;

	c.err = open_memstream(told, &len);
	ctl_flags_know(&c.flags, flags);
	while (at < argc)
		assert_int_equal(ctl_flags_take(&c.flags, argc, (char **)words, &at, NULL), ERR_NONE);
	ctl_body_put(&c, body, members);
	char *text = c.status == CTL_DONE ? json_dumps(body, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
	assert_true(text || c.status == CTL_MISUSE);
	json_decref(body);
	fclose(c.err);
	arena_free(&c.arena);
	return text;
}

static void what_was_given_is_in_it(void **state)
{
	static const struct {
		const char *words[5];
		const char *body, *told; /* one of them */
	} cases[] = {
		{{NULL}, "{}", NULL},
		{{"--name=a", "--port=-1"}, "{\"hostName\":\"a\",\"stunPort\":-1}", NULL},
		{{"--name=", "--mesh=false"}, "{\"hostName\":\"\",\"mesh\":false}", NULL},
		{{"--mesh", "--score=2.5", "--tailnets=a,b"}, "{\"mesh\":true,\"score\":2.5,\"tailnets\":[\"a\",\"b\"]}", NULL},
		{{"--tailnets="}, "{\"tailnets\":[]}", NULL},
		{{"--score=-74"}, "{\"score\":-74.0}", NULL},
		{{"--port=3478x"}, NULL, "--port: a whole number is wanted, not \"3478x\""},
		{{"--port="}, NULL, "--port: a whole number is wanted"},
		{{"--port=1.5"}, NULL, "--port: a whole number is wanted"},
		{{"--score=far"}, NULL, "--score: a number is wanted, not \"far\""},
		{{"--score="}, NULL, "--score: a number is wanted"},
		{{"--score=nan"}, NULL, "--score: a number is wanted"},
		{{"--score=-inf"}, NULL, "--score: a number is wanted"},
		{{"--score=1e999"}, NULL, "--score: a number is wanted"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		int argc = 0;
		char *told = NULL;

		while (cases[i].words[argc])
			argc++;
		char *body = body_of(argc, cases[i].words, &told);
		if (cases[i].body) {
			assert_non_null(body);
			assert_string_equal(body, cases[i].body);
		} else {
			assert_null(body);
			assert_non_null(strstr(told, cases[i].told));
		}
		free(body);
		free(told);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {cmocka_unit_test(what_was_given_is_in_it)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
