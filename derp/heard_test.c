#include "heard.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const struct node_key a = {{1}}, b = {{2}};
static unsigned told;
static struct hearer *told_last;

static void on_gone(struct hearer *hearer, const struct node_key *source)
{
	(void)source;
	told++;
	told_last = hearer;
}

static unsigned gone(struct heard *h, const struct node_key *source)
{
	told = 0;
	heard_gone(h, source, on_gone);
	return told;
}

static void each_hearer_is_told_once(void **state)
{
	(void)state;
	struct heard *h = heard_new();
	struct hearer x, y;
	hearer_init(&x, 1);
	hearer_init(&y, 2);
	for (unsigned i = 0; i < 3; i++) {
		heard_note(h, &x, &a);
		heard_note(h, &x, &b);
		heard_note(h, &y, &a);
	}
	assert_int_equal(x.count, 2);
	assert_int_equal(gone(h, &a), 2);
	assert_int_equal(gone(h, &a), 0);
	assert_int_equal(gone(h, &b), 1);
	assert_ptr_equal(told_last, &x);
	/* One that comes back and is heard again counts anew. */
	heard_note(h, &x, &b);
	assert_int_equal(gone(h, &b), 1);
	heard_note(h, &y, &a);
	heard_forget(h, &y);
	assert_int_equal(gone(h, &a), 0);
	heard_forget(h, &x);
	heard_free(&h);
}

static void memory_is_bounded(void **state)
{
	(void)state;
	struct heard *h = heard_new();
	struct hearer x;
	hearer_init(&x, 1);
	for (uint32_t i = 0; i < HEARD_MAX + 10; i++) {
		struct node_key key = {{0}};
		put_be32(key.raw, i + 1);
		heard_note(h, &x, &key);
	}
	assert_int_equal(x.count, HEARD_MAX);
	struct node_key key = {{0}};
	put_be32(key.raw, 1);
	assert_int_equal(gone(h, &key), 0);
	put_be32(key.raw, 11);
	assert_int_equal(gone(h, &key), 1);
	heard_forget(h, &x);
	assert_int_equal(x.count, 0);
	heard_free(&h);
}

static struct heard *ending;
static struct hearer *others[2];

static void ends_the_others(struct hearer *hearer, const struct node_key *source)
{
	(void)source;
	told++;
	for (unsigned i = 0; i < 2; i++) {
		if (others[i] != hearer)
			heard_forget(ending, others[i]);
	}
}

static void hearers_may_end_while_told(void **state)
{
	(void)state;
	struct hearer x, y;
	ending = heard_new();
	hearer_init(&x, 1);
	hearer_init(&y, 2);
	others[0] = &x;
	others[1] = &y;
	heard_note(ending, &x, &a);
	heard_note(ending, &y, &a);
	told = 0;
	heard_gone(ending, &a, ends_the_others);
	assert_int_equal(told, 1);
	heard_forget(ending, &x);
	heard_free(&ending);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(each_hearer_is_told_once), cmocka_unit_test(memory_is_bounded),
					   cmocka_unit_test(hearers_may_end_while_told)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
