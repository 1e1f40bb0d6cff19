#include "directory.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const struct node_key key = {{7}}, other = {{8}};

static void one_connection(void **state)
{
	(void)state;
	struct directory *d = directory_new();
	struct member a = {0}, b = {0};
	assert_null(directory_find(d, &key));
	assert_false(directory_remove(d, &a));
	assert_int_equal(directory_add(d, &key, &a), 1);
	assert_int_equal(directory_add(d, &other, &b), 1);
	assert_ptr_equal(directory_find(d, &key), &a);
	assert_ptr_equal(directory_find(d, &other), &b);
	assert_null(directory_stalest(&a));
	assert_int_equal(directory_count(d).keys, 2);
	assert_int_equal(directory_count(d).dup_members, 0);
	assert_true(directory_remove(d, &a));
	assert_null(directory_find(d, &key));
	assert_true(directory_remove(d, &b));
	directory_free(&d);
}

static void last_writer_is_active(void **state)
{
	(void)state;
	struct directory *d = directory_new();
	struct member a = {0}, b = {0};
	directory_add(d, &key, &a);
	assert_int_equal(directory_add(d, &key, &b), 2);
	assert_ptr_equal(directory_find(d, &key), &b);
	directory_spoke(&a);
	assert_ptr_equal(directory_find(d, &key), &a);
	directory_spoke(&b);
	assert_ptr_equal(directory_find(d, &key), &b);
	assert_int_equal(directory_count(d).dup_keys, 1);
	assert_int_equal(directory_count(d).dup_members, 2);
	assert_false(directory_remove(d, &b));
	assert_ptr_equal(directory_find(d, &key), &a);
	assert_int_equal(directory_count(d).dup_keys, 0);
	assert_int_equal(directory_count(d).dup_members, 0);
	assert_true(directory_remove(d, &a));
	directory_free(&d);
}

/* A and B silent, C comes and leaves: A takes over, since the second one counts only when it has spoken. */
static void fallback_follows_history(void **state)
{
	(void)state;
	struct directory *d = directory_new();
	struct member a = {0}, b = {0}, c = {0};
	directory_add(d, &key, &a);
	directory_add(d, &key, &b);
	assert_int_equal(directory_add(d, &key, &c), 3);
	assert_int_equal(directory_count(d).dup_members, 3);
	assert_ptr_equal(directory_stalest(&c), &b);
	directory_remove(d, &c);
	assert_ptr_equal(directory_find(d, &key), &a);
	directory_add(d, &key, &c);
	directory_spoke(&b);
	directory_spoke(&a);
	directory_remove(d, &a);
	assert_ptr_equal(directory_find(d, &key), &b);
	/* A silent one that leaves changes nothing. */
	directory_add(d, &key, &a);
	directory_spoke(&b);
	directory_remove(d, &a);
	assert_ptr_equal(directory_find(d, &key), &b);
	directory_remove(d, &b);
	directory_remove(d, &c);
	assert_int_equal(directory_count(d).keys, 0);
	directory_free(&d);
}

/* Keys that begin alike, found in turns, while others of them come and go. */
static void keys_that_begin_alike(void **state)
{
	enum { ALIKE = 8 };
	struct directory *d = directory_new();
	struct member members[ALIKE] = {0};
	struct node_key keys[ALIKE];
	(void)state;
	for (unsigned i = 0; i < ALIKE; i++) {
		keys[i] = (struct node_key){{7, (uint8_t)i}};
		list_init(&members[i].link);
		assert_null(directory_find(d, &keys[i]));
		directory_add(d, &keys[i], &members[i]);
	}
	for (unsigned round = 0; round < 3; round++)
		for (unsigned i = 0; i < ALIKE; i++)
			assert_ptr_equal(directory_find(d, &keys[i]), &members[i]);
	for (unsigned i = 0; i < ALIKE; i++) {
		assert_ptr_equal(directory_find(d, &keys[i]), &members[i]);
		assert_true(directory_remove(d, &members[i]));
		assert_null(directory_find(d, &keys[i]));
	}
	directory_add(d, &keys[0], &members[1]);
	assert_ptr_equal(directory_find(d, &keys[0]), &members[1]);
	directory_remove(d, &members[1]);
	directory_free(&d);
}

static void members_are_walked_while_they_leave(void **state)
{
	struct directory *d = directory_new();
	struct member members[4] = {0};
	struct node_key mine = {{3}}, theirs = {{4}};
	unsigned seen = 0;
	(void)state;
	assert_null(directory_first(d, &mine));
	for (unsigned i = 0; i < 4; i++) {
		list_init(&members[i].link);
		directory_add(d, i == 2 ? &theirs : &mine, &members[i]);
	}
	for (struct member *m = directory_first(d, &mine), *next; m; m = next) {
		static const unsigned order[] = {0, 1, 3};
		next = directory_after(m);
		assert_ptr_equal(m, &members[order[seen++]]);
		directory_remove(d, m);
	}
	assert_int_equal(seen, 3);
	assert_null(directory_first(d, &mine));
	assert_ptr_equal(directory_first(d, &theirs), &members[2]);
	assert_null(directory_after(&members[2]));
	directory_remove(d, &members[2]);
	directory_free(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(one_connection), cmocka_unit_test(last_writer_is_active),
					   cmocka_unit_test(fallback_follows_history), cmocka_unit_test(keys_that_begin_alike),
					   cmocka_unit_test(members_are_walked_while_they_leave)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
