#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "delta.h"
#include "madeup.h"

struct desk {
	struct madeup m;
	struct delta d;
	uint64_t before;
};

static int open_desk(void **state)
{
	static struct desk k;
	madeup_new(&k.m, 150, 4096);
	delta_init(&k.d);
	k.before = k.m.snapshot->version;
	*state = &k;
	return 0;
}

static int close_desk(void **state)
{
	struct desk *k = *state;
	delta_clear(&k->d);
	madeup_free(&k->m);
	return 0;
}

static void compute(struct desk *k, enum view_kind told, uint64_t version, enum view_kind now)
{
	assert_int_equal(delta_compute(&k->d, k->m.snapshot, &k->m.views.of[told], version, &k->m.views.of[now]), ERR_NONE);
}

static bool says_nothing(const struct delta *d)
{
	return !d->peer_count && !d->gone_count && !d->sections;
}

static void since(struct desk *k)
{
	compute(k, VIEW_EVERYBODY, k->before, VIEW_EVERYBODY);
}

static void nothing_moved_nothing_said(void **state)
{
	struct desk *k = *state;
	since(k);
	assert_true(says_nothing(&k->d));
}

static void version_zero_is_the_full_map(void **state)
{
	struct desk *k = *state;
	compute(k, VIEW_EVERYBODY, 0, VIEW_EVERYBODY);
	assert_int_equal(k->d.peer_count, 150);
	for (size_t i = 0; i < 150; i++)
		assert_true(k->d.peers[i].added && k->d.peers[i].whole);
	assert_int_equal(k->d.sections, SECTIONS_ALL);
}

static void small_facets_stay_small(void **state)
{
	struct desk *k = *state;
	madeup_move(&k->m, 70);
	madeup_hand_over(&k->m, 70, 1, CHANGE_NODE_ENDPOINTS);
	k->m.rows[70].home_relay = 901;
	madeup_hand_over(&k->m, 70, 1, CHANGE_NODE_RELAY);
	since(k);
	assert_int_equal(k->d.peer_count, 1);
	assert_int_equal(k->d.peers[0].facets, FACET_ENDPOINTS | FACET_RELAY);
	assert_false(k->d.peers[0].whole);
	assert_true(delta_moved(&k->d, madeup_slot(&k->m, 70)));
	assert_false(delta_moved(&k->d, madeup_slot(&k->m, 71)));
	assert_int_equal(k->d.sections, 0);
}

static void come_and_gone_in_between_is_nothing(void **state)
{
	struct desk *k = *state;
	struct node kept = k->m.rows[9];
	k->m.rows[9].id = 9999;
	madeup_hand_over(&k->m, 9, 1, CHANGE_NODE_ADDED);
	madeup_hand_over(&k->m, 9, 1, CHANGE_NODE_REMOVED);
	k->m.rows[9] = kept;
	since(k);
	assert_true(says_nothing(&k->d));
}

static void gone_and_back_is_one_whole_peer(void **state)
{
	struct desk *k = *state;
	madeup_hand_over(&k->m, 9, 1, CHANGE_NODE_REMOVED);
	madeup_hand_over(&k->m, 9, 1, CHANGE_NODE_ADDED);
	since(k);
	assert_int_equal(k->d.gone_count, 0);
	assert_int_equal(k->d.peer_count, 1);
	assert_true(k->d.peers[0].whole);
}

static void removed_by_its_id(void **state)
{
	struct desk *k = *state;
	madeup_hand_over(&k->m, 100, 1, CHANGE_NODE_REMOVED);
	since(k);
	assert_int_equal(k->d.gone_count, 1);
	assert_int_equal(k->d.gone[0].id, k->m.rows[100].id);
	assert_int_equal(k->d.peer_count, 0);
}

static void another_view_is_row_against_row(void **state)
{
	struct desk *k = *state;
	compute(k, VIEW_NOBODY, k->before, VIEW_EVERYBODY);
	assert_int_equal(k->d.peer_count, 150);
	assert_int_equal(k->d.sections, SECTION_FILTER);
	compute(k, VIEW_EVERYBODY, k->before, VIEW_NOBODY);
	assert_int_equal(k->d.gone_count, 150);
	assert_int_equal(k->d.peer_count, 0);
}

static void not_seen_not_said(void **state)
{
	struct desk *k = *state;
	k->m.rows[3].approved = false;
	madeup_hand_over(&k->m, 3, 1, CHANGE_NODE_APPROVAL);
	k->before = k->m.snapshot->version;
	madeup_move(&k->m, 3);
	madeup_hand_over(&k->m, 3, 1, CHANGE_NODE_ENDPOINTS);
	since(k);
	assert_true(says_nothing(&k->d));
	assert_true(delta_moved(&k->d, madeup_slot(&k->m, 3)));
}

static void no_history_no_delta(void **state)
{
	struct desk *k = *state;
	struct delta d;
	struct madeup m;
	(void)k;
	madeup_new(&m, 10, 64);
	delta_init(&d);
	for (int i = 0; i < 100; i++) {
		madeup_move(&m, 1);
		madeup_hand_over(&m, 1, 1, CHANGE_NODE_ENDPOINTS);
	}
	const struct view *view = &m.views.of[VIEW_EVERYBODY];
	assert_int_equal(delta_compute(&d, m.snapshot, view, 1, view), ERR_NO_HISTORY);
	assert_int_equal(delta_compute(&d, m.snapshot, view, m.snapshot->version - 60, view), ERR_NONE);
	assert_int_equal(d.peer_count, 1);
	delta_clear(&d);
	madeup_free(&m);
}

#define WITH_DESK(name) cmocka_unit_test_setup_teardown(name, open_desk, close_desk)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_DESK(nothing_moved_nothing_said),
		WITH_DESK(version_zero_is_the_full_map),
		WITH_DESK(small_facets_stay_small),
		WITH_DESK(come_and_gone_in_between_is_nothing),
		WITH_DESK(gone_and_back_is_one_whole_peer),
		WITH_DESK(removed_by_its_id),
		WITH_DESK(another_view_is_row_against_row),
		WITH_DESK(not_seen_not_said),
		WITH_DESK(no_history_no_delta),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
