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
	const struct view *view = m.views.everybody;
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
	const struct view *view = m.views.everybody;
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
	assert_ptr_equal(view_of(&m.views, m.snapshot, madeup_slot(&m, 0)), m.views.everybody);
	assert_ptr_equal(view_of(&m.views, m.snapshot, madeup_slot(&m, 1)), m.views.nobody);
	assert_ptr_equal(view_of(&m.views, m.snapshot, 77), m.views.nobody);
	assert_false(bitset_has(&m.views.everybody->row, madeup_slot(&m, 1)));
	assert_int_equal(bitset_population(&m.views.everybody->row), 2);
	assert_int_equal(bitset_population(&m.views.nobody->row), 0);
	madeup_free(&m);
}

#define RULE(src, dst) "{\"action\": \"accept\", \"src\": [\"" src "\"], \"dst\": [\"" dst "\"]}"
#define USER(n) "user" #n "@made-up.example"

static struct view *view_of_row(struct madeup *m, size_t row)
{
	return view_of(&m->views, m->snapshot, madeup_slot(m, row));
}

/* Row n belongs to user n; each user has one node. */
static void a_view_is_what_a_sight_holds(void **state)
{
	struct madeup m;
	(void)state;
	madeup_new(&m, 40, 64);
	madeup_policy(&m, "{\"acls\": [" RULE(USER(0), USER(1) ":*") "]}");
	assert_int_equal(m.views.rules->state, RULES_COMPILED);
	assert_true(bitset_has(&view_of_row(&m, 0)->row, madeup_slot(&m, 1)));
	assert_true(bitset_has(&view_of_row(&m, 1)->row, madeup_slot(&m, 0)));
	assert_false(bitset_has(&view_of_row(&m, 0)->row, madeup_slot(&m, 2)));
	assert_false(bitset_has(&view_of_row(&m, 2)->row, madeup_slot(&m, 0)));
	m.rows[0].approved = false;
	madeup_hand_over(&m, 0, 1, CHANGE_NODE_APPROVAL);
	assert_ptr_equal(view_of_row(&m, 0), m.views.nobody);
	assert_false(bitset_has(&view_of_row(&m, 1)->row, madeup_slot(&m, 0)));
	madeup_free(&m);
}

static void a_view_goes_on_with_its_nodes(void **state)
{
	struct madeup m;
	struct bitset row;
	(void)state;
	bitset_init(&row);
	madeup_new(&m, 40, 64);
	madeup_policy(&m, "{\"acls\": [" RULE(USER(0), USER(1) ":*") "]}");
	struct view *view = view_of_row(&m, 0);
	uint64_t before = m.snapshot->version;
	madeup_policy(&m, "{\"acls\": [" RULE(USER(0), USER(1) ":*") ", " RULE(USER(0), USER(2) ":22") "]}");
	assert_ptr_equal(view_of_row(&m, 0), view);
	assert_true(bitset_has(&view->row, madeup_slot(&m, 2)));
	assert_int_equal(view_at(view, before, &row), ERR_NONE);
	assert_true(bitset_has(&row, madeup_slot(&m, 1)));
	assert_false(bitset_has(&row, madeup_slot(&m, 2)));
	bitset_clear(&row);
	madeup_free(&m);
}

/* The same row, and yet not the same view of it. */
static void other_routes_are_another_view(void **state)
{
	static struct prefix route = {.ip = {.family = IP_V4, .byte = {10, 1}}, .bits = 16};
	struct madeup m;
	struct bitset slots;
	(void)state;
	bitset_init(&slots);
	madeup_new(&m, 3, 64);
	m.rows[2].routes_advertised = m.rows[2].routes_approved = m.rows[2].routes_primary = &route;
	m.rows[2].advertised_count = m.rows[2].approved_count = m.rows[2].primary_count = 1;
	madeup_hand_over(&m, 2, 1, CHANGE_NODE_ROUTES);
	uint32_t router = madeup_slot(&m, 2);
	madeup_policy(&m, "{\"acls\": [" RULE(USER(0), USER(2) ":*") ", " RULE(USER(1), USER(2) ":*") ", " RULE(USER(0), "10.1.0.0/16:*") "]}");
	struct view *view = view_of_row(&m, 0);
	uint64_t before = m.snapshot->version;
	assert_non_null(view_router(view, router));
	assert_null(view_router(view_of_row(&m, 1), router));
	assert_int_not_equal(view_form(view, 0, 7), view_form(view_of_row(&m, 1), 0, 7));
	assert_int_not_equal(view_form(view, 0, 7), view_form(view, 0, 3));
	madeup_policy(&m, "{\"acls\": [" RULE(USER(0), USER(2) ":*") ", " RULE(USER(1), USER(2) ":*") "]}");
	assert_int_equal(view_reshown(view, before, view_of_row(&m, 0), m.snapshot, &slots), ERR_NONE);
	assert_true(bitset_has(&slots, router));
	assert_int_equal(bitset_population(&slots), 1);
	bitset_clear(&slots);
	madeup_free(&m);
}

static void an_unreadable_policy_closes_everything(void **state)
{
	struct madeup m;
	(void)state;
	madeup_new(&m, 10, 64);
	madeup_policy(&m, "{\"acls\": [");
	assert_int_equal(m.views.rules->state, RULES_CLOSED);
	for (size_t i = 0; i < 10; i++)
		assert_ptr_equal(view_of_row(&m, i), m.views.nobody);
	madeup_policy(&m, "{}");
	assert_int_equal(m.views.rules->state, RULES_COMPILED);
	assert_int_equal(bitset_population(&view_of_row(&m, 3)->row), 10);
	madeup_free(&m);
}

static void a_policy_too_large_for_the_tailnet_closes_everything(void **state)
{
	enum { RULES = 100000 };
	static const char rule[] = ",{\"src\":[\"autogroup:member\"],\"dst\":[\"autogroup:self\"],\"ip\":[\"1\",\"udp:2\"]}";
	struct madeup m;
	struct buffer text;
	(void)state;
	madeup_new(&m, 12, 64);
	buffer_init(&text, 16 << 20);
	assert_int_equal(buffer_add(&text, BYTES("{\"grants\": [")), ERR_NONE);
	for (size_t i = 0; i < RULES; i++)
		assert_int_equal(buffer_add(&text, bytes_text(i ? rule : rule + 1)), ERR_NONE);
	assert_int_equal(buffer_add(&text, bytes_of("]}", 3)), ERR_NONE);
	madeup_policy(&m, (const char *)text.at);
	assert_int_equal(m.views.rules->state, RULES_CLOSED);
	assert_non_null(strstr(m.views.rules->why.text, "12 nodes"));
	assert_ptr_equal(view_of_row(&m, 0), m.views.nobody);
	madeup_policy(&m, "{}");
	assert_int_equal(m.views.rules->state, RULES_COMPILED);
	buffer_clear(&text);
	madeup_free(&m);
}

static void what_is_not_understood_counts_for_nothing(void **state)
{
	struct madeup m;
	(void)state;
	madeup_new(&m, 10, 64);
	madeup_policy(&m, "{\"acls\": [" RULE(USER(0), USER(1) ":*") ", {\"action\": \"of another release\", \"src\": [\"*\"], \"dst\": [\"*:*\"]}]}");
	assert_int_equal(m.views.rules->state, RULES_COMPILED);
	assert_int_equal(m.views.rules->lapses.count, 1);
	assert_int_equal(m.views.rules->lapses.first.line, 1);
	uint64_t shown = bitset_population(&view_of_row(&m, 0)->row);
	madeup_policy(&m, "{\"acls\": [" RULE(USER(0), USER(1) ":*") "]}");
	assert_int_equal(m.views.rules->lapses.count, 0);
	assert_int_equal(bitset_population(&view_of_row(&m, 0)->row), shown);
	assert_true(shown < 10);
	madeup_free(&m);
}

static void a_view_ends_with_its_last_stream(void **state)
{
	struct madeup m;
	(void)state;
	madeup_new(&m, 10, 64);
	madeup_policy(&m, "{}");
	struct view *view = view_of_row(&m, 0);
	assert_int_equal(m.views.count, 1);
	view->holders++;
	madeup_policy(&m, "{\"acls\": [");
	assert_int_equal(m.views.count, 1);
	view->holders--;
	views_tidy(&m.views);
	assert_int_equal(m.views.count, 0);
	madeup_free(&m);
}

static void rows_alone_are_no_reason_to_compile(void **state)
{
	struct madeup m;
	(void)state;
	madeup_new(&m, 10, 64);
	madeup_policy(&m, "{}");
	uint64_t serial = m.views.rules->serial;
	madeup_move(&m, 3);
	madeup_hand_over(&m, 3, 1, CHANGE_NODE_ENDPOINTS);
	m.rows[3].home_relay++;
	madeup_hand_over(&m, 3, 1, CHANGE_NODE_RELAY);
	assert_int_equal(m.views.rules->serial, serial);
	m.rows[3].user = m.users[9].id; /* whom no alias names */
	madeup_hand_over(&m, 3, 1, CHANGE_NODE_OWNER);
	assert_int_equal(m.views.rules->serial, serial);
	m.rows[3].routes_advertised = m.rows[3].routes_approved = &(struct prefix){{.family = IP_V4, .byte = {10}}, 8};
	m.rows[3].advertised_count = m.rows[3].approved_count = 1;
	madeup_hand_over(&m, 3, 1, CHANGE_NODE_ROUTES);
	assert_int_equal(m.views.rules->serial, serial + 1);
	madeup_free(&m);
}

/* Users 0 and 1 have two nodes each, of 60; the policy is compiled once. */
static void a_join_is_followed(void **state)
{
	struct madeup m;
	(void)state;
	madeup_new(&m, MADEUP_USERS + 10, 64);
	madeup_policy(&m, "{\"acls\": [" RULE(USER(0), USER(1) ":*") "]}");
	uint64_t serial = m.views.rules->serial, version = m.snapshot->version;
	struct view *from = view_of_row(&m, 0), *to = view_of_row(&m, 1);
	uint32_t slot = madeup_slot(&m, MADEUP_USERS + 1);
	for (uint32_t i = 0; i < m.snapshot->seat_count; i++)
		rules_look(m.views.rules, m.snapshot, i);
	madeup_hand_over(&m, MADEUP_USERS + 1, 1, CHANGE_NODE_REMOVED);
	assert_false(bitset_has(&from->row, slot));
	assert_int_equal(bitset_population(&from->row), 1);
	madeup_hand_over(&m, MADEUP_USERS + 1, 1, CHANGE_NODE_ADDED);
	assert_int_equal(m.views.rules->serial, serial);
	assert_ptr_equal(view_of_row(&m, MADEUP_USERS + 1), to);
	assert_int_equal(bitset_population(&from->row), 2);
	struct bitset was = {0};
	assert_int_equal(view_at(from, version, &was), ERR_NONE);
	assert_true(bitset_equal(&was, &from->row)); /* it is in the slot in which it was */
	bitset_clear(&was);
	/* Of the others, nobody's rules name the joined node as a source. */
	version = m.snapshot->version;
	madeup_hand_over(&m, MADEUP_USERS, 1, CHANGE_NODE_REMOVED);
	for (uint32_t i = 0; i < m.snapshot->seat_count; i++)
		if (snapshot_node(m.snapshot, i))
			rules_look(m.views.rules, m.snapshot, i);
	assert_int_equal(m.views.rules->serial, serial);
	assert_int_equal(rules_moved(m.views.rules, madeup_slot(&m, 0), version), 0);
	assert_int_equal(rules_moved(m.views.rules, madeup_slot(&m, 1), version), OWN_FILTER);
	assert_int_equal(rules_moved(m.views.rules, madeup_slot(&m, 2), version), 0);
	madeup_free(&m);
}

/* The users of the nodes that stay are in no other class than before; the text is read, not compiled. */
static void an_edit_of_a_group_is_followed(void **state)
{
	struct madeup m;
	(void)state;
	madeup_new(&m, 2 * MADEUP_USERS, 64);
	madeup_policy(&m, "{\"groups\": {\"group:a\": [\"" USER(0) "\", \"" USER(1) "\"], \"group:b\": [\"" USER(
				  2) "\"]}, \"acls\": ["
				     "{\"action\": \"accept\", \"src\": [\"group:a\"], \"dst\": [\"group:b:22\"]}]}");
	assert_int_equal(m.views.rules->state, RULES_COMPILED);
	uint64_t serial = m.views.rules->serial;
	struct view *stays = view_of_row(&m, 0);
	assert_int_equal(bitset_population(&stays->row), 2);
	madeup_policy(&m, "{\"groups\": {\"group:a\": [\"" USER(0) "\"], /* one went */ \"group:b\": [\"" USER(2) "\", \"" USER(
				  3) "\"]}, \"acls\": ["
				     "{\"action\": \"accept\", \"src\": [\"group:a\"], \"dst\": [\"group:b:22\"]}]}");
	assert_int_equal(m.views.rules->serial, serial);
	assert_ptr_equal(view_of_row(&m, 0), stays);
	assert_int_equal(bitset_population(&stays->row), 4);
	assert_int_equal(bitset_population(&view_of_row(&m, 1)->row), 0);
	assert_ptr_equal(view_of_row(&m, 2), view_of_row(&m, 3));
	/* Another port is another policy. */
	madeup_policy(&m, "{\"groups\": {\"group:a\": [\"" USER(0) "\"], \"group:b\": [\"" USER(
				  2) "\"]}, \"acls\": ["
				     "{\"action\": \"accept\", \"src\": [\"group:a\"], \"dst\": [\"group:b:23\"]}]}");
	assert_int_equal(m.views.rules->serial, serial + 1);
	madeup_free(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_of_the_past_are_exact),
		cmocka_unit_test(history_ends),
		cmocka_unit_test(only_approved_nodes_see_and_are_seen),
		cmocka_unit_test(a_view_is_what_a_sight_holds),
		cmocka_unit_test(a_view_goes_on_with_its_nodes),
		cmocka_unit_test(other_routes_are_another_view),
		cmocka_unit_test(an_unreadable_policy_closes_everything),
		cmocka_unit_test(a_policy_too_large_for_the_tailnet_closes_everything),
		cmocka_unit_test(what_is_not_understood_counts_for_nothing),
		cmocka_unit_test(a_view_ends_with_its_last_stream),
		cmocka_unit_test(rows_alone_are_no_reason_to_compile),
		cmocka_unit_test(a_join_is_followed),
		cmocka_unit_test(an_edit_of_a_group_is_followed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
