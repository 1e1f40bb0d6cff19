#include "token.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static void test_endpoint_is_found_again(void **state)
{
	static const uint32_t events[] = {0, 1, 255, 256, 65537, TOKEN_EVENT_MAX};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(events); i++) {
		char endpoint[ENDPOINT_TEXT_MAX], text[128];
		struct token token;
		size_t at = 0;

		endpoint_format(endpoint, token_endpoint(events[i]));
		snprintf(text, sizeof text, "{\"PeersChangedPatch\":[{\"NodeID\":1,\"Endpoints\":[\"%s\"]}]}", endpoint);
		assert_true(token_next(bytes_text(text), &at, &token));
		assert_int_equal(token.kind, TOKEN_MOVE);
		assert_int_equal(token.event, events[i]);
		assert_false(token_next(bytes_text(text), &at, &token));
	}
}

static void test_name_is_found_again(void **state)
{
	struct token token;
	size_t at = 0;

	(void)state;
	assert_true(token_next(BYTES("{\"Name\":\"j42.load.tailnet.internal.\",\"Endpoints\":[\"10.0.0.43:7077\"]}"), &at, &token));
	assert_int_equal(token.kind, TOKEN_JOIN);
	assert_int_equal(token.event, 42);
	assert_true(token_next(BYTES("{\"Name\":\"j42.load.tailnet.internal.\",\"Endpoints\":[\"10.0.0.43:7077\"]}"), &at, &token));
	assert_int_equal(token.kind, TOKEN_MOVE);
	assert_int_equal(token.event, 43);
}

static void test_port_is_found_again(void **state)
{
	struct token token;
	size_t at = 0;

	(void)state;
	assert_true(token_next(BYTES("{\"DstPorts\":[{\"IP\":\"*\",\"Ports\":{\"First\":1000,\"Last\":1000}},{\"Ports\":{\"First\":20007,\"Last\":20007}}]}"),
			       &at, &token));
	assert_int_equal(token.kind, TOKEN_POLICY);
	assert_int_equal(token.event, 7);
}

static void test_others_are_not(void **state)
{
	static const char *const texts[] = {"",
					    "\"",
					    "\"10.",
					    "\"10.1.2.3:7077",
					    "\"10.1.2.3:7076\"",
					    "\"10.1.2.256:7077\"",
					    "\"10.1.2:7077\"",
					    "\"10.1.2.3/32\"",
					    "\"110.1.2.3:7077\"",
					    "\"Name\":\"j\"",
					    "\"Name\":\"jane.x\"",
					    "\"Name\":\"j99999999.x\"",
					    "\"10.99999999999.1.1:7077\"",
					    "\"First\":20007,\"Last\":20008}",
					    "\"First\":0,\"Last\":0}",
					    "\"First\":65535,\"Last\":65535}",
					    "\"First\":20007"};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(texts); i++) {
		struct token token;
		size_t at = 0;

		assert_false(token_next(bytes_text(texts[i]), &at, &token));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_endpoint_is_found_again), cmocka_unit_test(test_name_is_found_again),
					   cmocka_unit_test(test_port_is_found_again), cmocka_unit_test(test_others_are_not)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
