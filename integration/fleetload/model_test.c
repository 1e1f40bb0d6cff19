#include "model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "token.h"

static struct peer_truth truth_of(uint8_t key, uint32_t event, bool online)
{
	struct peer_truth truth = {.endpoint = token_endpoint(event), .online = online};

	truth.node_key.raw[0] = key;
	return truth;
}

static void apply(struct model *m, bool good, const char *text)
{
	assert_int_equal(model_apply(m, bytes_text(text)), good);
}

static void first(struct model *m)
{
	char text[1024];

	snprintf(text, sizeof text,
		 "{\"Node\":{\"ID\":9},\"Peers\":[{\"ID\":1,\"Key\":\"nodekey:01%062d\",\"Endpoints\":[\"10.0.0.1:7077\"],\"Online\":true},"
		 "{\"ID\":2,\"Key\":\"nodekey:02%062d\",\"Endpoints\":[\"10.0.0.2:7077\"],\"Online\":true}]}",
		 0, 0);
	apply(m, true, text);
}

static size_t compare(struct model *m, struct peer_truth a, struct peer_truth b, size_t count)
{
	struct peer_truth truth[] = {a, b};
	size_t strangers;
	char why[128];

	return model_compare(m, truth, count, &strangers, why);
}

static void test_full_map_and_patches(void **state)
{
	struct model *m = model_new();

	(void)state;
	first(m);
	assert_int_equal(model_peers(m), 2);
	assert_int_equal(compare(m, truth_of(1, 1, true), truth_of(2, 2, true), 2), 0);
	apply(m, true, "{\"PeersChangedPatch\":[{\"NodeID\":2,\"Endpoints\":[\"10.0.0.7:7077\"]}],\"OnlineChange\":{\"1\":false}}");
	assert_int_equal(compare(m, truth_of(1, 1, false), truth_of(2, 7, true), 2), 0);
	assert_int_equal(compare(m, truth_of(1, 1, true), truth_of(2, 2, true), 2), 2);
	apply(m, true, "{\"PeersRemoved\":[2]}");
	assert_int_equal(compare(m, truth_of(1, 1, false), truth_of(2, 7, true), 1), 0);
	apply(m, true, "{\"KeepAlive\":true}\n");
	model_free(&m);
	assert_null(m);
	model_free(&m);
}

static void test_strangers_and_absent_ones_count(void **state)
{
	struct peer_truth truth[] = {truth_of(1, 1, true), truth_of(3, 2, true)};
	struct model *m = model_new();
	size_t strangers;
	char why[128];

	(void)state;
	first(m);
	assert_int_equal(model_compare(m, truth, 2, &strangers, why), 2);
	assert_int_equal(strangers, 1);
	assert_string_equal(why, "absent (bot 1)");
	model_free(&m);
}

static void test_what_makes_a_client_err(void **state)
{
	static const char *const texts[] = {"",
					    "{",
					    "{\"PeersChangedPatch\":[{\"NodeID\":7}]}",
					    "{\"OnlineChange\":{\"7\":true}}",
					    "{\"PeersChanged\":[{\"ID\":7}]}",
					    "{\"PeersChangedPatch\":[{\"NodeID\":1,\"Endpoints\":[\"x\"]}]}"};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(texts); i++) {
		struct model *m = model_new();

		first(m);
		apply(m, false, texts[i]);
		assert_true(model_fault(m)[0]);
		model_free(&m);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_full_map_and_patches), cmocka_unit_test(test_strangers_and_absent_ones_count),
					   cmocka_unit_test(test_what_makes_a_client_err)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
