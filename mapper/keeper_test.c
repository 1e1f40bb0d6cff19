#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "house.h"
#include "keeper.h"

static void first_map_then_deltas(void **state)
{
	struct house *h = *state;
	subscribe(h, 0);
	wait_frames(h, 0, 1);
	json_t *map = frame(h, 0, 0);
	assert_string_equal(json_string_value(json_object_get(json_object_get(map, "Node"), "Name")), "n0.a.example.");
	assert_int_equal(json_array_size(json_object_get(map, "Peers")), 1);
	assert_non_null(json_object_get(json_object_get(map, "DERPMap"), "Regions"));
	assert_false(json_is_true(json_object_get(json_array_get(json_object_get(map, "Peers"), 0), "Online")));

	subscribe(h, 1);
	wait_frames(h, 0, 2);
	json_t *patch = json_array_get(json_object_get(frame(h, 0, 1), "PeersChangedPatch"), 0);
	assert_int_equal(json_integer_value(json_object_get(patch, "NodeID")), 1001);
	assert_true(json_is_true(json_object_get(patch, "Online")));

	join();
	ring_bell();
	wait_frames(h, 0, 3);
	wait_frames(h, 1, 2);
	assert_int_equal(json_array_size(json_object_get(frame(h, 0, 2), "PeersChanged")), 1);
	assert_true(json_equal(frame(h, 0, 2), frame(h, 1, 1)));
	assert_null(json_object_get(frame(h, 0, 2), "Peers"));
}

/* Without a bell too, within the re-check. */
static void lost_bell(void **state)
{
	struct house *h = *state;
	subscribe(h, 0);
	wait_frames(h, 0, 1);
	join();
	wait_frames(h, 0, 2);
	assert_int_equal(outside.censuses, 1);
}

static void what_moved_itself_is_left_out(void **state)
{
	struct house *h = *state;
	subscribe(h, 0);
	subscribe(h, 1);
	wait_frames(h, 0, 1);
	wait_frames(h, 1, 1);
	size_t before0 = h->ears[0].frame_count, before1 = h->ears[1].frame_count;
	outside.rows[1].home_relay = 900;
	write_line(CHANGE_NODE_RELAY, 1001);
	ring_bell();
	wait_frames(h, 0, before0 + 1);
	rest(h, 50);
	assert_int_equal(h->ears[1].frame_count, before1);
	outside.rows[1].label = BYTES("other");
	write_line(CHANGE_NODE_NAME, 1001);
	ring_bell();
	wait_frames(h, 1, before1 + 1);
	assert_string_equal(json_string_value(json_object_get(json_object_get(frame(h, 1, before1), "Node"), "Name")), "other.a.example.");
	assert_null(json_object_get(frame(h, 1, before1), "PeersChanged"));
}

static void deleted_node_says_goodbye(void **state)
{
	struct house *h = *state;
	subscribe(h, 0);
	subscribe(h, 1);
	wait_frames(h, 0, 1);
	wait_frames(h, 1, 1);
	rest(h, 30);
	size_t before = h->ears[0].frame_count;
	outside.row_count = 1;
	write_line(CHANGE_NODE_REMOVED, 1001);
	ring_bell();
	wait_end(h, 1, LINK_END_NO_NODE);
	json_t *last = frame(h, 1, h->ears[1].frame_count - 1);
	assert_string_equal(json_string_value(json_object_get(json_object_get(last, "Node"), "KeyExpiry")), "1970-01-01T00:00:01Z");
	wait_frames(h, 0, before + 1);
	assert_int_equal(json_integer_value(json_array_get(json_object_get(frame(h, 0, before), "PeersRemoved"), 0)), 1001);
}

/* Its nodes need not have gone before: the last that they hear is that their login has ended. */
static void a_deleted_tailnet_says_goodbye(void **state)
{
	struct house *h = *state;
	subscribe(h, 0);
	subscribe(h, 1);
	wait_frames(h, 0, 1);
	wait_frames(h, 1, 1);
	rest(h, 30);
	outside.generation++;
	outside.gone = true;
	ring_bell();
	for (size_t i = 0; i < 2; i++) {
		wait_end(h, i, LINK_END_NO_NODE);
		json_t *self = json_object_get(frame(h, i, h->ears[i].frame_count - 1), "Node");
		assert_string_equal(json_string_value(json_object_get(self, "KeyExpiry")), "1970-01-01T00:00:01Z");
	}
	subscribe_as(h, 5, (struct link_subscribe){.node = 1000});
	wait_end(h, 5, LINK_END_NO_TAILNET);
}

/* The bell of its own registration is still under way when a client polls. */
static void a_first_map_is_never_older_than_its_subscription(void **state)
{
	struct house *h = *state;
	subscribe(h, 0);
	wait_frames(h, 0, 1);
	join();
	subscribe(h, 2);
	wait_frames(h, 2, 1);
	assert_int_equal(json_array_size(json_object_get(frame(h, 2, 0), "Peers")), 2);
}

static void lost_history_is_a_census_and_streams_stay(void **state)
{
	struct house *h = *state;
	subscribe(h, 0);
	wait_frames(h, 0, 1);
	join();
	outside.no_history = true;
	ring_bell();
	wait_frames(h, 0, 2);
	assert_int_equal(outside.censuses, 2);
	assert_int_equal(json_array_size(json_object_get(frame(h, 0, 1), "PeersChanged")), 1);
	assert_false(h->ears[0].ended);
}

static void failed_readings_are_tried_again(void **state)
{
	struct house *h = *state;
	for (unsigned n = 1; n < 4; n++) {
		outside.fail = n;
		subscribe(h, n - 1 ? 0 : 1);
		wait_frames(h, n - 1 ? 0 : 1, 1);
		if (n == 2)
			break;
	}
	size_t before = h->ears[0].frame_count;
	join();
	outside.fail = 2;
	ring_bell();
	wait_frames(h, 0, before + 1);
}

static void offline_with_last_seen(void **state)
{
	struct house *h = *state;
	outside.online[1] = true;
	outside.rows[1].last_seen = (struct wall){1700000000000000000};
	subscribe(h, 0);
	wait_frames(h, 0, 1);
	json_t *peer = json_array_get(json_object_get(frame(h, 0, 0), "Peers"), 0);
	assert_true(json_is_true(json_object_get(peer, "Online")));
	assert_null(json_object_get(peer, "LastSeen"));
	outside.online[1] = false;
	outside.on_presence(outside.presence_context, TAILNET_ID, 1001);
	wait_frames(h, 0, 2);
	json_t *patch = json_array_get(json_object_get(frame(h, 0, 1), "PeersChangedPatch"), 0);
	assert_true(json_is_false(json_object_get(patch, "Online")));
	assert_non_null(json_object_get(patch, "LastSeen"));
}

/* Everything was restarted: who is not back yet is not called offline before the grace, and who comes back needs no frame. */
static void nobody_is_offline_while_presence_cannot_tell(void **state)
{
	struct house *h = *state;
	outside.certain = false;
	subscribe(h, 0);
	wait_frames(h, 0, 1);
	assert_true(json_is_true(json_object_get(json_array_get(json_object_get(frame(h, 0, 0), "Peers"), 0), "Online")));
	subscribe(h, 1);
	wait_frames(h, 1, 1);
	rest(h, 100);
	assert_int_equal(h->ears[0].frame_count, 1);
	join();
	ring_bell();
	wait_frames(h, 0, 2);
	rest(h, 1500);
	assert_int_equal(h->ears[0].frame_count, 2);
}

/* Presence is sure, but nobody could come back yet. */
static void a_young_process_doubts(void **state)
{
	struct house *h = *state;
	h->in->started = clock_mono();
	subscribe(h, 0);
	wait_frames(h, 0, 1);
	assert_true(json_is_true(json_object_get(json_array_get(json_object_get(frame(h, 0, 0), "Peers"), 0), "Online")));
	wait_frames(h, 0, 2);
	assert_true(json_is_false(json_object_get(json_array_get(json_object_get(frame(h, 0, 1), "PeersChangedPatch"), 0), "Online")));
}

static void doubt_ends_with_the_grace(void **state)
{
	struct house *h = *state;
	outside.certain = false;
	subscribe(h, 0);
	wait_frames(h, 0, 2);
	json_t *patch = json_array_get(json_object_get(frame(h, 0, 1), "PeersChangedPatch"), 0);
	assert_true(json_is_false(json_object_get(patch, "Online")));
}

/* The filter moves in the frame in which the peers do. */
static void a_policy_moves_peers_and_filter_at_once(void **state)
{
	struct house *h = *state;
	subscribe(h, 0);
	wait_frames(h, 0, 1);
	assert_int_equal(json_array_size(json_object_get(json_object_get(frame(h, 0, 0), "PacketFilters"), "base")), 1);
	outside.policy = "{\"acls\": []}";
	write_line(CHANGE_POLICY, 0);
	ring_bell();
	wait_frames(h, 0, 2);
	json_t *told = frame(h, 0, 1);
	assert_int_equal(json_integer_value(json_array_get(json_object_get(told, "PeersRemoved"), 0)), 1001);
	json_t *base = json_object_get(json_object_get(told, "PacketFilters"), "base");
	assert_true(json_is_array(base) && !json_array_size(base));
	assert_null(json_object_get(told, "SSHPolicy"));
	outside.policy = "{\"acls\": [{\"action\": \"accept\", \"src\": [\"*\"], \"dst\": [\"*:22\"]}]}";
	write_line(CHANGE_POLICY, 0);
	ring_bell();
	wait_frames(h, 0, 3);
	assert_int_equal(json_array_size(json_object_get(frame(h, 0, 2), "PeersChanged")), 1);
	assert_int_equal(json_array_size(json_object_get(json_object_get(frame(h, 0, 2), "PacketFilters"), "base")), 1);
}

static const struct keeper *first_keeper(const struct house *h)
{
	return LIST_FIRST(&h->in->keeper_list, struct keeper, link);
}

static void an_unreadable_policy_shows_nobody(void **state)
{
	struct house *h = *state;
	outside.policy = "{\"acls\": [{\"action\": \"accept\"";
	subscribe(h, 0);
	wait_frames(h, 0, 1);
	assert_true(first_keeper(h)->closed);
	assert_int_equal(json_array_size(json_object_get(frame(h, 0, 0), "Peers")), 0);
	assert_int_equal(json_array_size(json_object_get(json_object_get(frame(h, 0, 0), "PacketFilters"), "base")), 0);
	outside.policy = "{}";
	write_line(CHANGE_POLICY, 0);
	ring_bell();
	wait_frames(h, 0, 2);
	assert_int_equal(json_array_size(json_object_get(frame(h, 0, 1), "PeersChanged")), 1);
	assert_false(first_keeper(h)->closed);
}

static void a_policy_of_another_release_is_said_to_be_one(void **state)
{
	struct house *h = *state;
	outside.policy = "{\"acls\": [{\"action\": \"accept\", \"src\": [\"*\"], \"dst\": [\"*:22\"]}, {\"action\": \"of another release\"}]}";
	subscribe(h, 0);
	wait_frames(h, 0, 1);
	assert_int_equal(json_array_size(json_object_get(frame(h, 0, 0), "Peers")), 1);
	assert_true(first_keeper(h)->partly);
	assert_false(first_keeper(h)->closed);
	outside.policy = "{\"acls\": []}";
	write_line(CHANGE_POLICY, 0);
	ring_bell();
	wait_frames(h, 0, 2);
	assert_false(first_keeper(h)->partly);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_HOUSE(first_map_then_deltas),
		WITH_HOUSE(lost_bell),
		WITH_HOUSE(what_moved_itself_is_left_out),
		WITH_HOUSE(deleted_node_says_goodbye),
		WITH_HOUSE(a_deleted_tailnet_says_goodbye),
		WITH_HOUSE(a_first_map_is_never_older_than_its_subscription),
		WITH_HOUSE(lost_history_is_a_census_and_streams_stay),
		WITH_HOUSE(failed_readings_are_tried_again),
		WITH_HOUSE(offline_with_last_seen),
		WITH_HOUSE(nobody_is_offline_while_presence_cannot_tell),
		WITH_HOUSE(a_young_process_doubts),
		WITH_HOUSE(doubt_ends_with_the_grace),
		WITH_HOUSE(a_policy_moves_peers_and_filter_at_once),
		WITH_HOUSE(an_unreadable_policy_shows_nobody),
		WITH_HOUSE(a_policy_of_another_release_is_said_to_be_one),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
