#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "report.h"

struct setup {
	struct arena *arena;
	struct node node;
	struct map_request request;
	struct endpoint here[2], there[2];
};

static const struct wall now = {1000000000};

static struct endpoint endpoint(const char *text)
{
	struct endpoint e;

	assert_int_equal(endpoint_parse(bytes_text(text), &e), ERR_NONE);
	return e;
}

static int set_up(void **state)
{
	struct setup *s = x_zalloc(sizeof *s);

	s->arena = arena_new();
	s->here[0] = s->there[1] = endpoint("192.0.2.1:41641");
	s->here[1] = s->there[0] = endpoint("198.51.100.7:41641");
	s->node = (struct node){
		.id = 7,
		.tailnet = 1,
		.label = BYTES("laptop"),
		.capver = 142,
		.home_relay = 900,
		.hostinfo = BYTES("{\"Hostname\":\"laptop\",\"NetInfo\":{\"PreferredDERP\":900}}"),
		.endpoints = s->here,
		.endpoint_count = 2,
	};
	s->request = (struct map_request){
		.kind = MAP_LITE,
		.capver = 142,
		.endpoints = s->there,
		.endpoint_count = 2,
		.hostinfo = {.present = true, .json = s->node.hostinfo, .hostname = BYTES("laptop"), .has_net_info = true, .preferred_derp = 900},
	};
	*state = s;
	return 0;
}

static int tear_down(void **state)
{
	struct setup *s = *state;

	arena_free(&s->arena);
	free(s);
	return 0;
}

static struct report_moves compare(struct setup *s)
{
	struct report_moves moves;

	report_compare(&s->node, &s->request, 5, now, s->arena, &moves);
	return moves;
}

static void test_the_same_again_writes_nothing(void **state)
{
	struct report_moves moves = compare(*state);

	assert_false(moves.write);
	assert_false(moves.relabel);
	assert_false(moves.report.has_endpoints);
	assert_int_equal(moves.report.epoch, 5);
}

static void test_endpoints_are_a_set(void **state)
{
	struct setup *s = *state;
	struct report_moves moves;

	s->there[0] = endpoint("203.0.113.9:1");
	moves = compare(s);
	assert_true(moves.write);
	assert_true(moves.report.has_endpoints);
	s->request.endpoint_count = 0;
	moves = compare(s);
	assert_true(moves.report.has_endpoints);
	assert_int_equal(moves.report.endpoint_count, 0);
}

static void test_unknown_home_does_not_overwrite(void **state)
{
	struct setup *s = *state;

	s->request.hostinfo.preferred_derp = 0;
	assert_int_equal(compare(s).report.home_relay, 0);
	assert_false(compare(s).write);
	s->request.hostinfo.preferred_derp = 901;
	assert_int_equal(compare(s).report.home_relay, 901);
	assert_true(compare(s).write);
}

static void test_net_info_is_carried_over(void **state)
{
	struct setup *s = *state;

	s->request.hostinfo.has_net_info = false;
	s->request.hostinfo.json = BYTES("{\"Hostname\":\"laptop\",\"OS\":\"linux\"}");
	struct report_moves moves = compare(s);

	assert_true(moves.write);
	assert_non_null(strstr((const char *)moves.report.hostinfo.at, "PreferredDERP"));
	assert_non_null(strstr((const char *)moves.report.hostinfo.at, "linux"));
}

/* A number takes room that a long name has not. */
#define A61 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static void test_label_follows_the_host_name(void **state)
{
	static const struct {
		const char *label, *hostname;
		bool renamed, relabel;
	} cases[] = {
		{"laptop", "laptop", false, false},  {"laptop", "Laptop", false, false},     {"laptop-1", "laptop", false, false},
		{"laptop-x", "laptop", false, true}, {"laptops", "laptop", false, true},     {"laptop", "desk", false, true},
		{"laptop", "desk", true, false},     {"node", "\xe6\x9c\xba", false, false}, {A61 "aa", A61 "aaaa", false, false},
		{A61 "-7", A61 "aa", false, false},  {A61 "-", A61 "aa", false, true},       {"laptop-01", "laptop", false, true},
	};
	struct setup *s = *state;

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		s->node.label = bytes_text(cases[i].label);
		s->node.renamed = cases[i].renamed;
		s->request.hostinfo.hostname = bytes_text(cases[i].hostname);
		assert_int_equal(compare(s).relabel, cases[i].relabel);
	}
}

static void test_keys_and_versions(void **state)
{
	struct setup *s = *state;

	s->request.disco_key.raw[0] = 1;
	assert_true(compare(s).write);
	assert_int_equal(compare(s).report.disco_key.raw[0], 1);
	s->node.disco_key = s->request.disco_key;
	assert_false(compare(s).write);
	s->request.capver = 90;
	assert_int_equal(compare(s).report.capver, 90);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_the_same_again_writes_nothing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_endpoints_are_a_set, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_unknown_home_does_not_overwrite, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_net_info_is_carried_over, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_label_follows_the_host_name, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_keys_and_versions, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
