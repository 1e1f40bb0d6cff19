#include "bootstrap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "loop.h"
#include "metrics_relay.h"

/* Addresses as names, which are found without asking anybody; and a name with a label that is too long to be asked for. */
#define NOWHERE "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.example"
enum { LONG_MS = 20000 };

static struct exchange x;
static char answer[4096];

static struct bytes play_header(const struct exchange *exchange, const char *name)
{
	(void)exchange, (void)name;
	return BYTES_NONE;
}

static void play_reply(struct exchange *exchange, unsigned code, const char *type, struct bytes body)
{
	(void)exchange;
	assert_int_equal(code, 200);
	assert_string_equal(type, "application/json");
	snprintf(answer, sizeof answer, "%.*s", BYTES_ARG(body));
}

static const struct carrier PLAYED = {.header = play_header, .reply = play_reply};

static const char *ask(struct bootstrap *b, const char *query)
{
	x = (struct exchange){.carrier = &PLAYED, .arena = arena_new(), .method = METHOD_GET, .query = bytes_text(query)};
	strcpy(answer, "not answered");
	bootstrap_reply(b, &x);
	arena_free(&x.arena);
	return answer;
}

static struct loop *loop;

static void await(struct bootstrap *b, const char *question, const char *expected)
{
	int64_t begun = clock_mono().ms;
	while (strcmp(ask(b, question), expected) != 0) {
		if (clock_mono().ms - begun > LONG_MS)
			fail_msg("still %s", answer);
		loop_turn(loop, 50);
	}
}

/* Until that is the answer. */
static struct bootstrap *looked_up(const char *published, const char *hidden, const char *question, const char *expected)
{
	struct diag why = {0};
	struct bootstrap *b = bootstrap_new(published, hidden, &why);
	assert_non_null(b);
	loop = loop_new();
	bootstrap_start(b, loop);
	await(b, question, expected);
	return b;
}

static void end(struct bootstrap **b)
{
	bootstrap_stop(*b);
	bootstrap_stop(*b);
	loop_free(&loop);
	bootstrap_free(b);
	assert_null(*b);
}

static void names_that_are_none(void **state)
{
	(void)state;
	char many[64 * 8 + 16] = "", longest[260];
	for (unsigned i = 0; i < 64; i++)
		snprintf(many + strlen(many), sizeof many - strlen(many), "n%u,", i);
	memset(longest, 'n', sizeof longest);
	longest[253] = 0;
	static const struct {
		const char *published, *hidden, *says;
	} bad[] = {
		{"a.example,,b.example", "", "bootstrap.names: \"\""},
		{",", "", "bootstrap.names"},
		{"a.example,", "", "bootstrap.names"},
		{" ", "", "bootstrap.names"},
		{"a.example/roll.out", "", "\"a.example/roll.out\" is no host name"},
		{"", "b.example/", "bootstrap.hidden_names"},
		{"a.example", " ,", "bootstrap.hidden_names: \"\""},
	};
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		struct diag why = {0};
		assert_null(bootstrap_new(bad[i].published, bad[i].hidden, &why));
		if (!strstr(why.text, bad[i].says))
			fail_msg("%s, %s: %s", bad[i].published, bad[i].hidden, why.text);
	}
	struct diag why = {0};
	struct bootstrap *b = bootstrap_new(longest, "", &why);
	assert_non_null(b);
	bootstrap_free(&b);
	longest[253] = 'n', longest[254] = 0;
	assert_null(bootstrap_new(longest, "", &why));
	/* 64 in all, of both kinds. */
	many[strlen(many) - 1] = 0;
	b = bootstrap_new(many, "", &why);
	assert_non_null(b);
	bootstrap_free(&b);
	assert_null(bootstrap_new(many, "one.more", &why));
	assert_non_null(strstr(why.text, "at most 64"));
	bootstrap_free(&b);
}

static void nothing_is_known_without_names(void **state)
{
	(void)state;
	struct diag why = {0};
	struct bootstrap *b = bootstrap_new("", "", &why);
	assert_non_null(b);
	assert_string_equal(ask(b, ""), "");
	assert_string_equal(ask(b, "q=192.0.2.7"), "");
	bootstrap_stop(b); /* legal when it was not begun */
	bootstrap_free(&b);
	b = bootstrap_new("", "192.0.2.7", &why);
	assert_string_equal(ask(b, "q=192.0.2.7"), ""); /* not looked up yet */
	bootstrap_free(&b);
	b = bootstrap_new("192.0.2.7", "", &why);
	assert_string_equal(ask(b, ""), "{}");
	bootstrap_free(&b);
}

static void published_names_are_told_to_all(void **state)
{
	(void)state;
	static const char both[] = "{\"192.0.2.7\":[\"192.0.2.7\"],\"2001:db8::9\":[\"2001:db8::9\"]}";
	struct bootstrap *b = looked_up(" 192.0.2.7 , 2001:db8::9," NOWHERE, "198.51.100.1", "", both);
	static const char *const questions[] = {
		"",    "q=",    "q=192.0.2.7",   "q=2001:db8::9", "q=elsewhere.example", ("q=" NOWHERE), "q=198.51.100", "q=198.51.100.11", "p=198.51.100.1",
		"q=%", "q=%00", "q=192.0.2.7%00"};
	for (size_t i = 0; i < COUNT_OF(questions); i++)
		assert_string_equal(ask(b, questions[i]), both);
	/* That one by its name alone, and then it alone. */
	await(b, "q=198.51.100.1", "{\"198.51.100.1\":[\"198.51.100.1\"]}");
	assert_string_equal(ask(b, "q=198.51.100.1"), "{\"198.51.100.1\":[\"198.51.100.1\"]}");
	assert_string_equal(ask(b, "a=b&q=198%2E51.100.1"), "{\"198.51.100.1\":[\"198.51.100.1\"]}");
	end(&b);
}

static void hidden_names_are_not_told(void **state)
{
	(void)state;
	struct bootstrap *b = looked_up("", "198.51.100.1", "q=198.51.100.1", "{\"198.51.100.1\":[\"198.51.100.1\"]}");
	assert_string_equal(ask(b, ""), "");
	assert_string_equal(ask(b, "q=other.example"), "");
	end(&b);
}

static void questions_are_counted_by_their_outcome(void **state)
{
	(void)state;
	static const struct {
		const char *question;
		int outcome; /* enum relay_bootstrap; -1: none */
	} cases[] = {
		{"", -1},
		{"q=", -1},
		{"q=192.0.2.7", RELAY_BOOTSTRAP_PUBLISHED_HIT},
		{"q=" NOWHERE, RELAY_BOOTSTRAP_PUBLISHED_MISS},
		{"q=198.51.100.1", RELAY_BOOTSTRAP_HIDDEN_HIT},
		{"q=elsewhere.example", RELAY_BOOTSTRAP_HIDDEN_MISS},
	};
	const struct metric *requests = &relay_metrics[RELAY_BOOTSTRAP_REQUESTS], *outcomes = &relay_metrics[RELAY_BOOTSTRAP_ANSWERS];
	metric_register(relay_metrics);
	struct bootstrap *b = looked_up("192.0.2.7," NOWHERE, "198.51.100.1", "", "{\"192.0.2.7\":[\"192.0.2.7\"]}");
	await(b, "q=198.51.100.1", "{\"198.51.100.1\":[\"198.51.100.1\"]}");
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		int64_t asked = metric_sum(requests, 0), before[4];
		for (unsigned o = 0; o < COUNT_OF(before); o++)
			before[o] = metric_sum(outcomes, o);
		ask(b, cases[i].question);
		assert_int_equal(metric_sum(requests, 0), asked + 1);
		for (unsigned o = 0; o < COUNT_OF(before); o++)
			assert_int_equal(metric_sum(outcomes, o), before[o] + (cases[i].outcome == (int)o));
	}
	end(&b);
}

/* What strangers ask for may not fill the memory. */
static void names_asked_for_are_forgotten(void **state)
{
	(void)state;
	const struct metric *names = &relay_metrics[RELAY_BOOTSTRAP_NAMES];
	struct diag why = {0};
	char question[400];
	metric_register(relay_metrics);
	int64_t before = metric_sum(names, 0);
	struct bootstrap *b = bootstrap_new("", "", &why);
	for (unsigned i = 0; i < 500; i++) {
		snprintf(question, sizeof question, "q=name-%u.example", i);
		ask(b, question);
		ask(b, question);
	}
	assert_int_equal(metric_sum(names, 0), before + 500);
	ask(b, "q=one-more.example");
	assert_int_equal(metric_sum(names, 0), before + 1);
	memset(question, 'n', sizeof question - 1);
	memcpy(question, "q=", 2);
	question[sizeof question - 1] = 0;
	ask(b, question);
	assert_int_equal(metric_sum(names, 0), before + 1);
	bootstrap_free(&b);
	assert_int_equal(metric_sum(names, 0), before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_that_are_none),
		cmocka_unit_test(nothing_is_known_without_names),
		cmocka_unit_test(published_names_are_told_to_all),
		cmocka_unit_test(hidden_names_are_not_told),
		cmocka_unit_test(questions_are_counted_by_their_outcome),
		cmocka_unit_test(names_asked_for_are_forgotten),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
