#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "bitset.h"

static struct bitset of(const size_t *members, size_t count)
{
	struct bitset s;
	bitset_init(&s);
	for (size_t i = 0; i < count; i++)
		bitset_add(&s, members[i]);
	return s;
}

#define OF(...) of((const size_t[]){__VA_ARGS__}, COUNT_OF(((const size_t[]){__VA_ARGS__})))

static void members_come_and_go(void **state)
{
	(void)state;
	struct bitset s = OF(0, 63, 64, 1000, 63);
	assert_true(bitset_has(&s, 0) && bitset_has(&s, 63) && bitset_has(&s, 64) && bitset_has(&s, 1000));
	assert_false(bitset_has(&s, 1) || bitset_has(&s, 999) || bitset_has(&s, SIZE_MAX));
	assert_int_equal(bitset_population(&s), 4);
	bitset_remove(&s, 64);
	bitset_remove(&s, 64);
	bitset_remove(&s, 99999);
	static const size_t want[] = {0, 63, 1000};
	size_t at = 0;
	BITSET_EACH(&s, n) {
		assert(at < COUNT_OF(want));
		assert_int_equal(n, want[at++]);
	}
	assert_int_equal(at, 3);
	assert_int_equal(bitset_next(&s, 1), 63);
	assert_int_equal(bitset_next(&s, 64), 1000);
	assert_true(bitset_next(&s, 1001) == SIZE_MAX);
	assert_true(bitset_next(&s, SIZE_MAX) == SIZE_MAX);
	assert_true(bitset_word(&s, 0) == (UINT64_C(1) << 63 | 1));
	bitset_clear(&s);
	assert_false(bitset_any(&s));
	assert_true(bitset_next(&s, 0) == SIZE_MAX);
}

static void sets_combine(void **state)
{
	(void)state;
	struct bitset a = OF(1, 2, 500), b = OF(2, 3), r;
	bitset_init(&r);
	static const struct {
		void (*combine)(struct bitset *, const struct bitset *);
		size_t members[4], count;
	} cases[] = {{bitset_or, {1, 2, 3, 500}, 4}, {bitset_and, {2}, 1}, {bitset_minus, {1, 500}, 2}, {bitset_copy, {2, 3}, 2}};
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct bitset want = of(cases[i].members, cases[i].count);
		bitset_copy(&r, &a);
		assert_true(bitset_equal(&r, &a));
		cases[i].combine(&r, &b);
		assert_true(bitset_equal(&r, &want));
		assert_true(bitset_hash(&r) == bitset_hash(&want));
		bitset_clear(&want);
	}
	bitset_or(&b, &a); /* the shorter grows */
	assert_true(bitset_has(&b, 500));
	bitset_clear(&a);
	bitset_clear(&b);
	bitset_clear(&r);
}

/* Two sets are equal by their members, however they grew. */
static void room_does_not_count(void **state)
{
	(void)state;
	struct bitset a = OF(5), b = OF(5, 5000), none;
	bitset_init(&none);
	assert_false(bitset_equal(&a, &b));
	assert_true(bitset_hash(&a) != bitset_hash(&b));
	bitset_remove(&b, 5000);
	assert_true(bitset_equal(&a, &b));
	assert_true(bitset_hash(&a) == bitset_hash(&b));
	bitset_remove(&b, 5);
	assert_true(bitset_equal(&b, &none));
	assert_true(bitset_hash(&b) == bitset_hash(&none));
	assert_false(bitset_any(&b));
	struct bitset low = OF(3), high = OF(67);
	assert_true(bitset_hash(&low) != bitset_hash(&high));
	bitset_clear(&a);
	bitset_clear(&b);
	bitset_clear(&low);
	bitset_clear(&high);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(members_come_and_go),
		cmocka_unit_test(sets_combine),
		cmocka_unit_test(room_does_not_count),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
