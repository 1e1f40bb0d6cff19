#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include <stdio.h>

#include "table.h"

enum { MANY = 20000 };

static int values[MANY];

static struct bytes key_of(size_t i, char room[static 64])
{
	int len = snprintf(room, 64, i % 3 ? "%zu" : "a longer key, which the table has to copy: %zu", i);
	return bytes_of(room, (size_t)len);
}

static void entries_are_found_replaced_and_removed(void **state)
{
	(void)state;
	struct table *t = table_new();
	char room[64];
	assert_null(table_find(t, BYTES("x")));
	assert_null(table_remove(t, BYTES("x")));
	for (size_t i = 0; i < MANY; i++)
		assert_null(table_put(t, key_of(i, room), &values[i]));
	assert_int_equal(table_count(t), MANY);
	for (size_t i = 0; i < MANY; i += 2)
		assert_ptr_equal(table_put(t, key_of(i, room), &values[MANY - 1 - i]), &values[i]);
	for (size_t i = 1; i < MANY; i += 2)
		assert_ptr_equal(table_remove(t, key_of(i, room)), &values[i]);
	assert_int_equal(table_count(t), MANY / 2);
	for (size_t i = 0; i < MANY; i++)
		assert_ptr_equal(table_find(t, key_of(i, room)), i % 2 ? NULL : &values[MANY - 1 - i]);
	for (size_t i = 0; i < MANY; i += 2)
		assert_non_null(table_remove(t, key_of(i, room)));
	assert_int_equal(table_count(t), 0);
	assert_null(table_find(t, key_of(0, room)));
	table_free(&t);
	assert_null(t);
	table_free(&t);
}

static void keys_may_be_anything(void **state)
{
	(void)state;
	struct table *t = table_new();
	static const uint8_t zeros[16];
	for (size_t len = 0; len <= sizeof(zeros); len++)
		assert_null(table_put(t, bytes_of(zeros, len), &values[len]));
	for (size_t len = 0; len <= sizeof(zeros); len++)
		assert_ptr_equal(table_find(t, bytes_of(zeros, len)), &values[len]);
	assert_ptr_equal(table_remove(t, BYTES_NONE), &values[0]);
	assert_null(table_find(t, BYTES_NONE));
	table_free(&t);
}

static void numbers_are_keys(void **state)
{
	(void)state;
	struct table *t = table_new();
	for (uint64_t i = 0; i < MANY; i++)
		assert_null(table_put_number(t, i << 40 | 5, &values[i]));
	for (uint64_t i = 0; i < MANY; i++) {
		assert_ptr_equal(table_find_number(t, i << 40 | 5), &values[i]);
		assert_null(table_find_number(t, i << 40 | 6));
	}
	assert_ptr_equal(table_remove_number(t, 5), &values[0]);
	assert_null(table_find_number(t, 5));
	table_free(&t);
}

/* Each entry is seen once, whichever of them are removed on the way. */
static void walks_see_each_once(void **state)
{
	(void)state;
	for (unsigned remove_every = 1; remove_every < 5; remove_every++) {
		struct table *t = table_new();
		static unsigned seen[1000];
		memset(seen, 0, sizeof(seen));
		for (uint64_t i = 0; i < COUNT_OF(seen); i++)
			assert_null(table_put_number(t, i, &seen[i]));
		struct bytes key;
		unsigned *value, steps = 0, removed = 0;
		TABLE_EACH(t, key, value) {
			assert_ptr_equal(value, &seen[table_key_number(key)]);
			++*value;
			if (steps++ % remove_every == 0) {
				assert_ptr_equal(table_remove(t, key), value);
				removed++;
			}
		}
		for (size_t i = 0; i < COUNT_OF(seen); i++)
			assert_int_equal(seen[i], 1);
		assert_int_equal(table_count(t), COUNT_OF(seen) - removed);
		TABLE_EACH(t, key, value)
			assert_ptr_equal(table_find(t, key), value);
		table_free(&t);
	}
}

/* Against a plain array, by a fixed sequence of steps. */
static void random_steps_agree_with_an_array(void **state)
{
	(void)state;
	struct table *t = table_new();
	void *model[257] = {0};
	uint64_t random = 1;
	size_t count = 0;
	for (unsigned step = 0; step < 200000; step++) {
		random = random * 6364136223846793005u + 1442695040888963407u;
		size_t key = (random >> 33) % COUNT_OF(model);
		if (random >> 63) {
			void *before = table_put_number(t, key, &values[step % MANY]);
			assert_ptr_equal(before, model[key]);
			count += !before;
			model[key] = &values[step % MANY];
		} else {
			assert_ptr_equal(table_remove_number(t, key), model[key]);
			count -= model[key] != NULL;
			model[key] = NULL;
		}
		assert_int_equal(table_count(t), count);
	}
	table_free(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(entries_are_found_replaced_and_removed),
		cmocka_unit_test(keys_may_be_anything),
		cmocka_unit_test(numbers_are_keys),
		cmocka_unit_test(walks_see_each_once),
		cmocka_unit_test(random_steps_agree_with_an_array),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
