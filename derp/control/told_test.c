#include "told.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define ONE "1111111111111111111111111111111111111111111111111111111111111111"
#define TWO "AbCdEf1111111111111111111111111111111111111111111111111111111122"
#define ZERO "0000000000000000000000000000000000000000000000000000000000000000"

static struct told *told_of(const char *text)
{
	json_t *answer = json_loads(text, JSON_ALLOW_NUL, NULL);
	struct told *told;
	assert_non_null(answer);
	told = told_new(answer);
	json_decref(answer);
	return told;
}

static void wishes(void **state)
{
	/* Whether it shall drain, and whether nobody is kept waiting by its going. */
	static const struct {
		const char *answer;
		bool drain, leave;
	} cases[] = {
		{"{\"Drain\":true,\"Shown\":true,\"Stage\":0,\"SiblingsServe\":true,\"OthersServe\":true}", true, true},
		{"{\"Drain\":true,\"Shown\":true,\"Stage\":0,\"SiblingsServe\":true,\"OthersServe\":false}", true, true},
		{"{\"Drain\":true,\"Shown\":true,\"Stage\":0,\"SiblingsServe\":false,\"OthersServe\":true}", true, false},
		{"{\"Drain\":true,\"Shown\":true,\"Stage\":1,\"SiblingsServe\":false,\"OthersServe\":true}", true, false},
		{"{\"Drain\":true,\"Shown\":true,\"Stage\":2,\"SiblingsServe\":false,\"OthersServe\":true}", true, true},
		{"{\"Drain\":true,\"Shown\":false,\"Stage\":0,\"SiblingsServe\":false,\"OthersServe\":true}", true, true},
		/* The last one of all serves on, and waits for nobody when its process ends. */
		{"{\"Drain\":true,\"Shown\":true,\"Stage\":0,\"SiblingsServe\":false,\"OthersServe\":false}", false, true},
		{"{\"Drain\":false,\"Shown\":true,\"Stage\":0,\"SiblingsServe\":false,\"OthersServe\":true}", false, false},
		{"{\"Drain\":1,\"Shown\":true,\"SiblingsServe\":true,\"OthersServe\":true}", false, true},
		{"{\"Drain\":\"true\",\"Shown\":true,\"SiblingsServe\":\"true\",\"OthersServe\":true}", false, false},
		{"{\"Drain\":true,\"Shown\":true,\"Stage\":\"2\",\"SiblingsServe\":false,\"OthersServe\":true}", true, false},
		{"{\"Drain\":true,\"Shown\":true,\"Stage\":-2,\"SiblingsServe\":false,\"OthersServe\":true}", true, false},
		{"{}", false, true},
	};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct told *t = told_of(cases[i].answer);
		if (t->drain != cases[i].drain || t->leave != cases[i].leave)
			fail_msg("%s: drain %d, leave %d", cases[i].answer, t->drain, t->leave);
		told_drop(&t);
	}
}

static void only_true_is_held_back(void **state)
{
	static const char *const answers[] = {"{\"HeldBack\":true}", "{\"HeldBack\":false}", "{\"HeldBack\":1}", "{}"};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(answers); i++) {
		struct told *t = told_of(answers[i]);
		assert_int_equal(t->held_back, !i);
		told_drop(&t);
	}
}

/* One that cannot be read leaves no trace in the one behind it. */
static void bad_siblings_are_left_out(void **state)
{
	(void)state;
	struct told *t = told_of(
		"{\"Siblings\":[{\"Name\":\"long-name\",\"CertName\":\"c\",\"InsecureForTests\":true,\"DERPPort\":7},{\"Name\":\"b\",\"HostName\":\"h\"},"
		"{\"Name\":\"c\"},7,null,{\"Name\":\"d\",\"HostName\":\"i\"}]}");
	struct told *none = told_of("{\"Siblings\":{\"Name\":\"b\",\"HostName\":\"h\"}}");
	struct told *alone = told_of("{\"Siblings\":[{\"Name\":\"b\",\"HostName\":\"h\"}]}");
	assert_int_equal(t->sibling_count, 2);
	assert_memory_equal(&t->siblings[0], &alone->siblings[0], sizeof *t->siblings);
	assert_string_equal(t->siblings[1].name, "d");
	assert_int_equal(none->sibling_count, 0);
	told_drop(&t);
	told_drop(&none);
	told_drop(&alone);
}

static void lists_have_caps(void **state)
{
	static const struct {
		size_t siblings, rechecks, want_siblings, want_rechecks;
		bool all;
	} cases[] = {{0, 0, 0, 0, false},
		     {TOLD_SIBLINGS_MAX, TOLD_RECHECKS_MAX, TOLD_SIBLINGS_MAX, TOLD_RECHECKS_MAX, false},
		     {TOLD_SIBLINGS_MAX + 1, TOLD_RECHECKS_MAX + 1, TOLD_SIBLINGS_MAX, 0, true}};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		json_t *answer = json_object(), *siblings = json_array(), *rechecks = json_array();
		for (size_t k = 0; k < cases[i].siblings; k++)
			json_array_append_new(siblings, json_pack("{s:s,s:s}", "Name", "b", "HostName", "h"));
		for (size_t k = 0; k < cases[i].rechecks; k++)
			json_array_append_new(rechecks, json_string(ONE));
		json_object_set_new(answer, "Siblings", siblings);
		json_object_set_new(answer, "Rechecks", rechecks);
		struct told *t = told_new(answer);
		assert_int_equal(t->sibling_count, cases[i].want_siblings);
		assert_int_equal(t->recheck_count, cases[i].want_rechecks);
		/* Too many to name them: nobody is forgotten. */
		assert_int_equal(t->recheck_all, cases[i].all);
		told_drop(&t);
		json_decref(answer);
	}
}

static void rechecks_are_read(void **state)
{
	static const struct {
		const char *answer;
		unsigned count;
		bool all;
		uint64_t from;
	} cases[] = {
		{"{\"RechecksFrom\":4712,\"RecheckAll\":false,\"Rechecks\":[\"" ONE "\",\"" TWO "\"]}", 2, false, 4712},
		{"{\"RechecksFrom\":9223372036854775807,\"RecheckAll\":true,\"Rechecks\":[]}", 0, true, INT64_MAX},
		{"{\"RechecksFrom\":-1,\"RecheckAll\":1,\"Rechecks\":\"" ONE "\"}", 0, false, 0},
		{"{\"RechecksFrom\":\"1\",\"Rechecks\":[7,null,\"\",\"11\",\"" ONE "1\",\"nodekey:" ONE "\",[\"" ONE "\"],\"" TWO "\"]}", 1, false, 0},
	};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct told *t = told_of(cases[i].answer);
		assert_int_equal(t->recheck_count, cases[i].count);
		assert_int_equal(t->recheck_all, cases[i].all);
		assert_int_equal(t->rechecks_from, cases[i].from);
		if (t->recheck_count) {
			assert_int_equal(t->rechecks[t->recheck_count - 1].raw[0], 0xab);
			assert_int_equal(t->rechecks[t->recheck_count - 1].raw[31], 0x22);
		}
		told_drop(&t);
	}
}

static void rates_are_read(void **state)
{
	static const struct {
		const char *answer;
		uint64_t rate, burst, tailnet_rate, tailnet_burst;
	} cases[] = {
		{"{\"ClientBytesPerSecond\":125000,\"ClientBurstBytes\":250000}", 125000, 250000, 0, 0},
		{"{\"TailnetBytesPerSecond\":125000,\"TailnetBurstBytes\":250000}", 0, 0, 125000, 250000},
		{"{\"ClientBytesPerSecond\":0,\"ClientBurstBytes\":0}", 0, 0, 0, 0},
		{"{\"ClientBytesPerSecond\":-5,\"ClientBurstBytes\":\"7\",\"TailnetBytesPerSecond\":-5,\"TailnetBurstBytes\":\"7\"}", 0, 0, 0, 0},
		{"{\"ClientBytesPerSecond\":1.5,\"ClientBurstBytes\":true,\"TailnetBytesPerSecond\":1.5,\"TailnetBurstBytes\":true}", 0, 0, 0, 0},
	};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct told *t = told_of(cases[i].answer);
		assert_int_equal(t->client.per_second, cases[i].rate);
		assert_int_equal(t->client.burst, cases[i].burst);
		assert_int_equal(t->tailnet.per_second, cases[i].tailnet_rate);
		assert_int_equal(t->tailnet.burst, cases[i].tailnet_burst);
		told_drop(&t);
	}
}

static void mesh_keys_are_known(void **state)
{
	static const struct {
		const char *answer;
		bool one, two;
	} cases[] = {
		{"{\"MeshKey\":\"" ONE "\",\"MeshKeyBefore\":\"" TWO "\"}", true, true},
		{"{\"MeshKey\":\"" ONE "\",\"MeshKeyBefore\":\"\"}", true, false},
		{"{\"MeshKey\":\"\",\"MeshKeyBefore\":\"" TWO "\"}", false, true},
		{"{\"MeshKey\":\"" ZERO "\",\"MeshKeyBefore\":\"" TWO "\"}", false, true},
		{"{\"MeshKey\":\"" ZERO "\",\"MeshKeyBefore\":\"" ZERO "\"}", false, false},
		{"{\"MeshKey\":\"" ONE "1\",\"MeshKeyBefore\":7}", false, false},
		{"{}", false, false},
	};
	uint8_t one[KEY_LEN], two[KEY_LEN], zero[KEY_LEN] = {0};
	(void)state;
	memset(one, 0x11, sizeof one);
	memset(two, 0x11, sizeof two);
	two[0] = 0xab, two[1] = 0xcd, two[2] = 0xef, two[31] = 0x22;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct told *t = told_of(cases[i].answer);
		assert_int_equal(t->mesh_key_count, cases[i].one + cases[i].two);
		assert_int_equal(told_is_mesh_key(t, one), cases[i].one);
		assert_int_equal(told_is_mesh_key(t, two), cases[i].two);
		assert_false(told_is_mesh_key(t, zero));
		told_drop(&t);
	}
	assert_false(told_is_mesh_key(NULL, one));
}

static void the_last_reference_ends_it(void **state)
{
	(void)state;
	struct told *first = told_of("{\"MeshKey\":\"" ONE "\"}"), *second = told_take(first), *none = NULL;
	assert_ptr_equal(first, second);
	told_drop(&first);
	assert_null(first);
	assert_int_equal(second->mesh_key_count, 1);
	told_drop(&second);
	told_drop(&none);
	assert_null(none);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wishes),
		cmocka_unit_test(only_true_is_held_back),
		cmocka_unit_test(bad_siblings_are_left_out),
		cmocka_unit_test(lists_have_caps),
		cmocka_unit_test(rechecks_are_read),
		cmocka_unit_test(rates_are_read),
		cmocka_unit_test(mesh_keys_are_known),
		cmocka_unit_test(the_last_reference_ends_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
