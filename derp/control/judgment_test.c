#include "judgment.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void answers_are_judged(void **state)
{
	(void)state;
	static const struct {
		enum err e;
		unsigned status;
		const char *body;
		enum judgment coordinator, url;
	} cases[] = {
		{ERR_NONE, 200, "{\"Allow\":true}", JUDGMENT_ALLOWED, JUDGMENT_ALLOWED},
		{ERR_NONE, 200, "{\"More\":[1],\"Allow\":true}\n", JUDGMENT_ALLOWED, JUDGMENT_ALLOWED},
		{ERR_NONE, 200, "{\"Allow\":false}", JUDGMENT_REFUSED, JUDGMENT_REFUSED},
		{ERR_NONE, 200, "{}", JUDGMENT_REFUSED, JUDGMENT_REFUSED},
		{ERR_NONE, 200, "{\"Allow\":null}", JUDGMENT_REFUSED, JUDGMENT_REFUSED},
		{ERR_NONE, 200, "{\"Allow\":1}", JUDGMENT_REFUSED, JUDGMENT_REFUSED},
		{ERR_NONE, 200, "{\"Allow\":\"true\"}", JUDGMENT_REFUSED, JUDGMENT_REFUSED},
		{ERR_NONE, 200, "[{\"Allow\":true}]", JUDGMENT_REFUSED, JUDGMENT_REFUSED},
		{ERR_NONE, 200, "{\"Allow\":true", JUDGMENT_REFUSED, JUDGMENT_REFUSED},
		{ERR_NONE, 200, "true", JUDGMENT_REFUSED, JUDGMENT_REFUSED},
		{ERR_NONE, 200, "", JUDGMENT_REFUSED, JUDGMENT_REFUSED},
		{ERR_NONE, 201, "{\"Allow\":true}", JUDGMENT_DENIED, JUDGMENT_DENIED},
		{ERR_NONE, 302, "{\"Allow\":true}", JUDGMENT_DENIED, JUDGMENT_DENIED},
		{ERR_NONE, 403, "{\"Allow\":true}", JUDGMENT_DENIED, JUDGMENT_DENIED},
		{ERR_NONE, 404, "{\"Allow\":true}", JUDGMENT_NONE, JUDGMENT_DENIED},
		{ERR_NONE, 429, "{\"Allow\":true}", JUDGMENT_NONE, JUDGMENT_DENIED},
		{ERR_NONE, 500, "{\"Allow\":true}", JUDGMENT_NONE, JUDGMENT_DENIED},
		{ERR_UNAVAILABLE, 0, "", JUDGMENT_NONE, JUDGMENT_NONE},
		{ERR_TIMEOUT, 200, "{\"Allow\":true}", JUDGMENT_NONE, JUDGMENT_NONE},
		{ERR_TOO_BIG, 200, "", JUDGMENT_NONE, JUDGMENT_REFUSED},
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		assert_int_equal(judgment_of_coordinator(cases[i].e, cases[i].status, bytes_text(cases[i].body)), cases[i].coordinator);
		assert_int_equal(judgment_of_url(cases[i].e, cases[i].status, bytes_text(cases[i].body)), cases[i].url);
	}
}

static void long_answers_refuse(void **state)
{
	(void)state;
	static char body[JUDGMENT_MAX + 1];
	memset(body, ' ', sizeof body);
	memcpy(body, "{\"Allow\":true}", 14);
	assert_int_equal(judgment_of_url(ERR_NONE, 200, bytes_of(body, JUDGMENT_MAX)), JUDGMENT_ALLOWED);
	assert_int_equal(judgment_of_url(ERR_NONE, 200, bytes_of(body, JUDGMENT_MAX + 1)), JUDGMENT_REFUSED);
	assert_int_equal(judgment_of_coordinator(ERR_NONE, 200, bytes_of(body, JUDGMENT_MAX + 1)), JUDGMENT_REFUSED);
}

static void what_belongs_to_an_allowance(void **state)
{
	static const struct {
		const char *body;
		struct standing standing;
	} cases[] = {
		{"{\"Allow\":true}", {0}},
		{"{\"Allow\":true,\"Tailnet\":7}", {7, {0, 0}}},
		{"{\"Allow\":true,\"Tailnet\":9223372036854775807,\"TailnetBytesPerSecond\":1000,\"TailnetBurstBytes\":70000}", {INT64_MAX, {1000, 70000}}},
		{"{\"Allow\":true,\"Tailnet\":-7,\"TailnetBytesPerSecond\":-1,\"TailnetBurstBytes\":\"3\"}", {0}},
		{"{\"Allow\":true,\"Tailnet\":\"7\",\"TailnetBytesPerSecond\":1.5,\"TailnetBurstBytes\":[]}", {0}},
		{"[7]", {0}},
		{"", {0}},
	};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct standing s = judgment_standing(bytes_text(cases[i].body));
		assert_true(s.tailnet == cases[i].standing.tailnet && s.rate.per_second == cases[i].standing.rate.per_second &&
			    s.rate.burst == cases[i].standing.rate.burst);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(answers_are_judged), cmocka_unit_test(long_answers_refuse),
					   cmocka_unit_test(what_belongs_to_an_allowance)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
