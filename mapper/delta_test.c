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

enum whose { NOBODY, EVERYBODY };

static struct view *view(struct desk *k, enum whose whose)
{
	return whose == EVERYBODY ? k->m.views.everybody : k->m.views.nobody;
}

static void compute(struct desk *k, enum whose told, uint64_t version, enum whose now)
{
	assert_int_equal(delta_compute(&k->d, k->m.snapshot, view(k, told), version, view(k, now)), ERR_NONE);
}

static bool says_nothing(const struct delta *d)
{
	return !d->peer_count && !d->gone_count && !d->sections;
}

static void since(struct desk *k)
{
	compute(k, EVERYBODY, k->before, EVERYBODY);
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
	compute(k, EVERYBODY, 0, EVERYBODY);
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
	compute(k, NOBODY, k->before, EVERYBODY);
	assert_int_equal(k->d.peer_count, 150);
	assert_int_equal(k->d.sections, 0);
	compute(k, EVERYBODY, k->before, NOBODY);
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

/* Nothing of the router itself moved. */
static void other_routes_of_a_peer_tell_it_whole(void **state)
{
	static struct prefix route = {.ip = {.family = IP_V4, .byte = {10, 1}}, .bits = 16};
	struct desk *k = *state;
	struct node *router = &k->m.rows[2];
	router->routes_advertised = router->routes_approved = router->routes_primary = &route;
	router->advertised_count = router->approved_count = router->primary_count = 1;
	madeup_hand_over(&k->m, 2, 1, CHANGE_NODE_ROUTES);
	madeup_policy(
		&k->m,
		"{\"acls\": [{\"action\": \"accept\", \"src\": [\"user0@made-up.example\"], \"dst\": [\"user2@made-up.example:*\", \"10.1.0.0/16:*\"]}]}");
	struct view *told = view_of(&k->m.views, k->m.snapshot, madeup_slot(&k->m, 0));
	k->before = k->m.snapshot->version;
	madeup_policy(&k->m, "{\"acls\": [{\"action\": \"accept\", \"src\": [\"user0@made-up.example\"], \"dst\": [\"user2@made-up.example:*\"]}]}");
	struct view *now = view_of(&k->m.views, k->m.snapshot, madeup_slot(&k->m, 0));
	assert_int_equal(delta_compute(&k->d, k->m.snapshot, told, k->before, now), ERR_NONE);
	assert_int_equal(k->d.peer_count, 1);
	assert_int_equal(k->d.peers[0].slot, madeup_slot(&k->m, 2));
	assert_true(k->d.peers[0].whole && !k->d.peers[0].added);
	assert_int_equal(k->d.gone_count, 0);
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
	const struct view *everybody = m.views.everybody;
	assert_int_equal(delta_compute(&d, m.snapshot, everybody, 1, everybody), ERR_NO_HISTORY);
	assert_int_equal(delta_compute(&d, m.snapshot, everybody, m.snapshot->version - 60, everybody), ERR_NONE);
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
		WITH_DESK(other_routes_of_a_peer_tell_it_whole),
		WITH_DESK(no_history_no_delta),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
