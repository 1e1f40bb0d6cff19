#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "madeup.h"

enum { NODES = 200, VERSIONS = 300 };

/* Rows of the past as they were, against copies taken then. */
static void rows_of_the_past_are_exact(void **state)
{
	struct madeup m;
	struct bitset then[VERSIONS + 2], row;
	(void)state;
	srand(1);
	madeup_new(&m, NODES, 4096);
	const struct view *view = &m.views.of[VIEW_EVERYBODY];
	bitset_init(&row);
	for (size_t v = 0; v < COUNT_OF(then); v++)
		bitset_init(&then[v]);
	for (int i = 0; i < VERSIONS; i++) {
		bitset_copy(&then[m.snapshot->version], &view->row);
		size_t first = (size_t)rand() % NODES, count = (size_t)rand() % (NODES - first) % 9 + 1;
		for (size_t j = 0; j < count; j++)
			m.rows[first + j].approved = !m.rows[first + j].approved;
		madeup_hand_over(&m, first, count, CHANGE_NODE_APPROVAL);
		for (uint64_t v = view->oldest; v < m.snapshot->version; v += 7) {
			assert_int_equal(view_at(view, v, &row), ERR_NONE);
			assert_true(bitset_equal(&row, &then[v]));
		}
	}
	assert_int_equal(view_at(view, 0, &row), ERR_NONE);
	assert_false(bitset_any(&row));
	for (size_t v = 0; v < COUNT_OF(then); v++)
		bitset_clear(&then[v]);
	bitset_clear(&row);
	madeup_free(&m);
}

static void history_ends(void **state)
{
	struct madeup m;
	struct bitset row;
	(void)state;
	madeup_new(&m, NODES, 64);
	const struct view *view = &m.views.of[VIEW_EVERYBODY];
	bitset_init(&row);
	for (int i = 0; i < 200; i++) {
		m.rows[0].approved = !m.rows[0].approved;
		madeup_hand_over(&m, 0, 1, CHANGE_NODE_APPROVAL);
	}
	assert_true(view->undo_count <= 64);
	assert_int_equal(view_at(view, 1, &row), ERR_NO_HISTORY);
	assert_int_equal(view_at(view, m.snapshot->version - 10, &row), ERR_NONE);
	assert_int_equal(view_at(view, view->oldest, &row), ERR_NONE);
	assert_int_equal(view_at(view, view->oldest - 1, &row), ERR_NO_HISTORY);
	bitset_clear(&row);
	madeup_free(&m);
}

static void only_approved_nodes_see_and_are_seen(void **state)
{
	struct madeup m;
	(void)state;
	madeup_new(&m, 3, 64);
	m.rows[1].approved = false;
	madeup_hand_over(&m, 1, 1, CHANGE_NODE_APPROVAL);
	assert_int_equal(view_of(&m.views, m.snapshot, madeup_slot(&m, 0))->kind, VIEW_EVERYBODY);
	assert_int_equal(view_of(&m.views, m.snapshot, madeup_slot(&m, 1))->kind, VIEW_NOBODY);
	assert_int_equal(view_of(&m.views, m.snapshot, 77)->kind, VIEW_NOBODY);
	assert_false(bitset_has(&m.views.of[VIEW_EVERYBODY].row, madeup_slot(&m, 1)));
	assert_int_equal(bitset_population(&m.views.of[VIEW_EVERYBODY].row), 2);
	assert_int_equal(bitset_population(&m.views.of[VIEW_NOBODY].row), 0);
	madeup_free(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_of_the_past_are_exact),
		cmocka_unit_test(history_ends),
		cmocka_unit_test(only_approved_nodes_see_and_are_seen),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
