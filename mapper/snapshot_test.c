#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "madeup.h"
#include "messages.h"

static unsigned facets_since(const struct snapshot *s, uint32_t slot, uint64_t version)
{
	unsigned facets = 0;
	RING_EACH(&s->ring, entry, version)
		if (entry->slot == slot)
			facets |= entry->facets;
	return facets;
}

static void a_version_holds_what_gathered(void **state)
{
	struct madeup m;
	(void)state;
	madeup_new(&m, 100, 4096);
	struct snapshot *s = m.snapshot;
	assert_int_equal(s->version, 1);
	assert_int_equal(s->node_count, 100);
	assert_int_equal(snapshot_close(s), 1);
	snapshot_set_online(s, 3, false);
	snapshot_set_online(s, 3, true);
	snapshot_set_online(s, 4, true); /* as it was */
	assert_int_equal(s->moved, 1);
	assert_int_equal(snapshot_close(s), 2);
	assert_int_equal(s->moved, 0);
	assert_int_equal(facets_since(s, 3, 1), FACET_ONLINE);
	assert_int_equal(facets_since(s, 4, 1), 0);
	assert_int_equal(s->segments[0].peers, 2);
	assert_int_equal(s->segments[1].peers, 1);
	madeup_free(&m);
}

static void a_census_moves_only_what_differs(void **state)
{
	struct madeup m;
	(void)state;
	madeup_new(&m, 100, 4096);
	struct snapshot *s = m.snapshot;
	struct census census = {.tailnet = m.tailnet, .users = m.users, .user_count = m.user_count, .nodes = m.rows, .node_count = 100};
	struct wall now = {1800000000000000000};
	snapshot_load(s, &census, now);
	assert_false(s->pending);
	madeup_move(&m, 5);
	census.node_count = 99;
	snapshot_load(s, &census, now);
	snapshot_close(s);
	assert_int_equal(facets_since(s, madeup_slot(&m, 5), 1), FACET_ENDPOINTS);
	assert_int_equal(facets_since(s, 6, 1), 0);
	assert_int_equal(madeup_slot(&m, 99), SLOT_NONE);
	assert_int_equal(s->node_count, 99);
	census.tailnet.domain = BYTES("other.example");
	snapshot_load(s, &census, now);
	snapshot_close(s);
	assert_int_equal(s->settings_moved, s->version);
	assert_true(facets_since(s, 6, s->version - 1) & FACET_PEER);
	madeup_free(&m);
}

/* One name that clients refuse must not cost everybody the map. */
static void what_maps_cannot_hold_is_left_out(void **state)
{
	static const char *const faults[] = {"", "-a", "a.b", "Upper", "with space", "0123456789012345678901234567890123456789012345678901234567890123"};
	struct madeup m;
	(void)state;
	madeup_new(&m, 3, 4096);
	struct snapshot *s = m.snapshot;
	struct bytes good = m.rows[1].label;
	for (size_t i = 0; i < COUNT_OF(faults); i++) {
		m.rows[1].label = bytes_text(faults[i]);
		madeup_hand_over(&m, 1, 1, CHANGE_NODE_NAME);
		assert_int_equal(madeup_slot(&m, 1), SLOT_NONE);
		assert_int_equal(s->node_count, 2);
		m.rows[1].label = good;
		madeup_hand_over(&m, 1, 1, CHANGE_NODE_NAME);
		assert_int_not_equal(madeup_slot(&m, 1), SLOT_NONE);
	}
	m.rows[2].tailnet++;
	madeup_hand_over(&m, 2, 1, CHANGE_NODE_NAME);
	assert_int_not_equal(madeup_slot(&m, 2), SLOT_NONE); /* a stranger's row moves nothing */
	madeup_free(&m);
}

static void a_slot_rests_until_all_are_told(void **state)
{
	struct madeup m;
	(void)state;
	madeup_new(&m, 4, 4096);
	struct snapshot *s = m.snapshot;
	uint32_t slot = madeup_slot(&m, 2);
	uint64_t id = m.rows[2].id;
	madeup_hand_over(&m, 2, 1, CHANGE_NODE_REMOVED);
	assert_int_equal(s->seats[slot].id, id); /* who was told of it must be told that it went */
	snapshot_settle(s, s->version - 1);
	m.rows[2].id = 5000;
	madeup_hand_over(&m, 2, 1, CHANGE_NODE_ADDED);
	assert_int_not_equal(madeup_slot(&m, 2), slot);
	snapshot_settle(s, s->version);
	m.rows[2].id = 5001;
	madeup_hand_over(&m, 2, 1, CHANGE_NODE_ADDED);
	assert_int_equal(madeup_slot(&m, 2), slot);
	madeup_free(&m);
}

static void a_node_that_comes_back_finds_its_slot(void **state)
{
	struct madeup m;
	(void)state;
	madeup_new(&m, 4, 4096);
	uint32_t slot = madeup_slot(&m, 1);
	m.snapshot->seats[slot].subscribed = 1;
	madeup_hand_over(&m, 1, 1, CHANGE_NODE_REMOVED);
	assert_non_null(m.snapshot->seats[slot].ghost);
	madeup_hand_over(&m, 1, 1, CHANGE_NODE_ADDED);
	assert_int_equal(madeup_slot(&m, 1), slot);
	assert_null(m.snapshot->seats[slot].ghost);
	assert_int_equal(m.snapshot->resting_count, 0);
	madeup_free(&m);
}

static void keys_run_out_by_the_clock(void **state)
{
	struct madeup m;
	(void)state;
	madeup_new(&m, 4, 4096);
	struct snapshot *s = m.snapshot;
	struct wall soon = {1800000000000000000 + 1000};
	m.rows[1].expiry = soon;
	madeup_hand_over(&m, 1, 1, CHANGE_NODE_EXPIRY);
	assert_int_equal(s->next_due.ns, soon.ns);
	snapshot_expire(s, (struct wall){soon.ns - 1});
	assert_false(s->pending);
	snapshot_expire(s, soon);
	assert_true(s->pending);
	assert_true(s->seats[madeup_slot(&m, 1)].expired);
	/* A week before the end its client warns. */
	struct wall warning = wall_add_ms((struct wall){1900000000000000000}, -7 * 24 * 3600 * 1000);
	assert_int_equal(s->next_due.ns, warning.ns);
	snapshot_close(s);
	snapshot_expire(s, warning);
	assert_int_equal(s->seats[madeup_slot(&m, 0)].messages, MESSAGE_EXPIRING);
	assert_int_equal(s->seats[madeup_slot(&m, 1)].messages, MESSAGE_EXPIRED);
	assert_int_equal(s->next_due.ns, 1900000000000000000);
	assert_int_equal(facets_since(s, madeup_slot(&m, 0), s->version), FACET_MESSAGES);
	snapshot_close(s);
	m.rows[1].expiry = WALL_ZERO;
	madeup_hand_over(&m, 1, 1, CHANGE_NODE_EXPIRY);
	assert_int_equal(s->seats[madeup_slot(&m, 1)].messages, 0);
	assert_false(s->seats[madeup_slot(&m, 1)].expired);
	assert_true(facets_since(s, madeup_slot(&m, 1), s->version - 1) & FACET_PEER);
	madeup_free(&m);
}

static void strange_rows_are_left_out(void **state)
{
	struct madeup m;
	(void)state;
	madeup_new(&m, 4, 4096);
	m.rows[0].tailnet = 8;
	m.rows[1].hostinfo = BYTES("not json");
	madeup_hand_over(&m, 0, 2, CHANGE_NODE_HOSTINFO);
	assert_int_equal(facets_since(m.snapshot, 0, 1), 0);
	assert_true(bytes_equal(snapshot_node(m.snapshot, 1)->hostinfo, BYTES("{}")));
	madeup_free(&m);
}

/* Tells which facets every node moved by, and whether the section of settings did. */
static void check_settings(struct madeup *m, struct settings *settings, unsigned facets, bool section)
{
	struct snapshot *s = m->snapshot;
	struct journal_read read = {.tailnet = &m->tailnet, .settings = settings};
	uint64_t before = s->version;
	snapshot_apply(s, &read, (struct wall){1800000000000000000});
	snapshot_close(s);
	assert_int_equal(s->version, before + (facets || section));
	assert_int_equal(s->settings_moved == s->version && section, section);
	assert_true(section || s->settings_moved <= before);
	for (size_t i = 0; i < m->count; i++)
		assert_int_equal(facets_since(s, madeup_slot(m, i), before), facets);
}

static void settings_move_what_they_touch(void **state)
{
	struct dns_resolver resolver = {BYTES("192.0.2.1"), false};
	struct settings settings = {0};
	struct madeup m;
	(void)state;
	madeup_new(&m, 3, 4096);
	check_settings(&m, &settings, FACET_NONE, false);
	settings.dns.magic = true;
	check_settings(&m, &settings, FACET_NONE, true);
	settings.dns.resolvers = &resolver;
	settings.dns.resolver_count = 1;
	check_settings(&m, &settings, FACET_NONE, true);
	resolver.with_exit_node = true;
	check_settings(&m, &settings, FACET_NONE, true);
	check_settings(&m, &settings, FACET_NONE, false);
	settings.ssh = true;
	check_settings(&m, &settings, FACET_SELF, false);
	settings.notice = BYTES("tea");
	check_settings(&m, &settings, FACET_MESSAGES, false);
	settings.notice = BYTES("coffee");
	check_settings(&m, &settings, FACET_MESSAGES, false);
	settings.notice = BYTES("");
	check_settings(&m, &settings, FACET_MESSAGES, false);
	settings.client_logs = true; /* obeyed for a whole life of a client: said in first maps only */
	check_settings(&m, &settings, FACET_NONE, false);
	m.tailnet.key_lifetime_ms = 1000;
	check_settings(&m, &settings, FACET_SELF, false);
	m.tailnet.suspended = true;
	check_settings(&m, &settings, FACET_VISIBLE | FACET_SELF | FACET_MESSAGES, false);
	m.tailnet.suspended = false;
	check_settings(&m, &settings, FACET_VISIBLE | FACET_SELF | FACET_MESSAGES, false);
	m.tailnet.domain = BYTES("other.example");
	check_settings(&m, &settings, FACET_PEER | FACET_SELF, true);
	madeup_free(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_version_holds_what_gathered),     cmocka_unit_test(a_census_moves_only_what_differs),
		cmocka_unit_test(a_slot_rests_until_all_are_told),   cmocka_unit_test(a_node_that_comes_back_finds_its_slot),
		cmocka_unit_test(keys_run_out_by_the_clock),         cmocka_unit_test(strange_rows_are_left_out),
		cmocka_unit_test(what_maps_cannot_hold_is_left_out), cmocka_unit_test(settings_move_what_they_touch),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
