#include "verdicts.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const struct verdicts_limits limits = {.allowed_ms = 1000, .refused_ms = 100, .grace_ms = 5000, .allowed_max = 3, .refused_max = 2};

static struct node_key numbered(uint8_t n)
{
	return (struct node_key){{n}};
}

static void answers_age(void **state)
{
	(void)state;
	static const struct {
		int64_t age_ms;
		enum verdict want;
		bool allowed;
	} cases[] = {
		{0, VERDICT_ALLOWED, true},    {999, VERDICT_ALLOWED, true}, {1000, VERDICT_STALE, true},   {4999, VERDICT_STALE, true},
		{5000, VERDICT_UNKNOWN, true}, {99, VERDICT_REFUSED, false}, {100, VERDICT_UNKNOWN, false},
	};
	struct node_key key = numbered(1);
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct verdicts *v = verdicts_new(&limits);
		assert_int_equal(verdicts_find(v, &key, (struct mono){10}), VERDICT_UNKNOWN);
		verdicts_put(v, &key, cases[i].allowed, (struct mono){10});
		assert_int_equal(verdicts_find(v, &key, (struct mono){10 + cases[i].age_ms}), cases[i].want);
		verdicts_free(&v);
	}
}

/* A refusal ends the grace of a key at once. */
static void the_last_word_counts(void **state)
{
	(void)state;
	struct verdicts *v = verdicts_new(&limits);
	struct node_key key = numbered(1);
	verdicts_put(v, &key, true, (struct mono){0});
	verdicts_put(v, &key, false, (struct mono){10});
	assert_int_equal(verdicts_find(v, &key, (struct mono){20}), VERDICT_REFUSED);
	assert_int_equal(verdicts_find(v, &key, (struct mono){500}), VERDICT_UNKNOWN);
	verdicts_put(v, &key, true, (struct mono){600});
	assert_int_equal(verdicts_find(v, &key, (struct mono){700}), VERDICT_ALLOWED);
	assert_int_equal(verdicts_count(v), 1);
	verdicts_free(&v);
}

static void strangers_push_out_only_strangers(void **state)
{
	(void)state;
	struct verdicts *v = verdicts_new(&limits);
	for (uint8_t n = 1; n <= 3; n++)
		verdicts_put(v, &(struct node_key){{n}}, true, (struct mono){n});
	for (uint8_t n = 100; n < 200; n++)
		verdicts_put(v, &(struct node_key){{n}}, false, (struct mono){50});
	assert_int_equal(verdicts_count(v), 5);
	struct node_key first = numbered(1), second = numbered(2), stranger = numbered(100);
	assert_int_equal(verdicts_find(v, &first, (struct mono){51}), VERDICT_ALLOWED);
	assert_int_equal(verdicts_find(v, &stranger, (struct mono){51}), VERDICT_UNKNOWN);
	verdicts_put(v, &(struct node_key){{9}}, true, (struct mono){60});
	assert_int_equal(verdicts_find(v, &first, (struct mono){61}), VERDICT_UNKNOWN);
	assert_int_equal(verdicts_find(v, &second, (struct mono){61}), VERDICT_ALLOWED);
	verdicts_free(&v);
}

static void where_a_key_belongs_is_kept_with_its_admission(void **state)
{
	(void)state;
	struct verdicts *v = verdicts_new(&limits);
	struct node_key key = numbered(1), stranger = numbered(2);
	struct standing standing = {7, {1000, 70000}};
	verdicts_put(v, &key, true, (struct mono){0});
	verdicts_set_standing(v, &key, standing);
	verdicts_set_standing(v, &stranger, standing);
	verdicts_doubt(v, &key, (struct mono){1});
	assert_int_equal(verdicts_standing(v, &key).tailnet, 7);
	assert_int_equal(verdicts_standing(v, &key).rate.burst, 70000);
	assert_int_equal(verdicts_standing(v, &stranger).tailnet, 0);
	verdicts_put(v, &key, false, (struct mono){10});
	verdicts_set_standing(v, &key, standing);
	assert_int_equal(verdicts_standing(v, &key).tailnet, 0);
	verdicts_free(&v);
}

static void doubt_of_all(void **state)
{
	(void)state;
	struct verdicts *v = verdicts_new(&limits);
	struct node_key good = numbered(1), bad = numbered(2);
	verdicts_put(v, &good, true, (struct mono){0});
	verdicts_put(v, &bad, false, (struct mono){0});
	verdicts_doubt_all(v);
	assert_int_equal(verdicts_find(v, &good, (struct mono){0}), VERDICT_STALE);
	assert_int_equal(verdicts_find(v, &bad, (struct mono){0}), VERDICT_UNKNOWN);
	/* What is said from then on counts. */
	verdicts_put(v, &good, true, (struct mono){0});
	verdicts_put(v, &bad, false, (struct mono){0});
	assert_int_equal(verdicts_find(v, &good, (struct mono){0}), VERDICT_ALLOWED);
	assert_int_equal(verdicts_find(v, &bad, (struct mono){0}), VERDICT_REFUSED);
	verdicts_free(&v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(answers_age), cmocka_unit_test(the_last_word_counts),
					   cmocka_unit_test(strangers_push_out_only_strangers),
					   cmocka_unit_test(where_a_key_belongs_is_kept_with_its_admission), cmocka_unit_test(doubt_of_all)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
