#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "list.h"

struct item {
	int number;
	struct list in;
};

static void order_is_kept(void **state)
{
	(void)state;
	struct list l;
	struct item items[4] = {{.number = 0}, {.number = 1}, {.number = 2}, {.number = 3}};
	list_init(&l);
	assert_true(list_empty(&l));
	assert_null(LIST_FIRST(&l, struct item, in));
	assert_false(list_linked(&items[0].in));
	for (int i = 0; i < 4; i++)
		list_append(&l, &items[i].in);
	int want = 0;
	LIST_EACH(&l, item, struct item, in)
		assert_int_equal(item->number, want++);
	assert_int_equal(want, 4);
	assert_true(list_linked(&items[2].in));
	list_remove(&items[2].in);
	list_remove(&items[2].in);
	assert_false(list_linked(&items[2].in));
	LIST_EACH(&l, item, struct item, in) {
		assert_int_not_equal(item->number, 2);
		list_remove(&item->in);
	}
	assert_true(list_empty(&l));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(order_is_kept)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
