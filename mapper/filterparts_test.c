#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "madeup.h"

/* Users 0, 2, 4 ... have every second node, so that the group's addresses are no ranges. */
enum { NODES = 4 * MADEUP_USERS, VIEWER = 1, LATE = NODES - 2, TEXT_MAX = 1 << 20 };

#define APP(user, value) "{\"src\":[\"" user "\"],\"dst\":[\"user1@\"],\"app\":{\"e.example/a\":[" value "]}}"

static const char *policy(struct madeup *m, const char *more)
{
	char *users = arena_text(m->arena, BYTES(""));
	for (unsigned user = 0; user < MADEUP_USERS; user += 2)
		users = arena_format(m->arena, "%s%s\"user%u@made-up.example\"", users, *users ? "," : "", user);
	return arena_format(m->arena,
			    "{\"groups\":{\"group:half\":[%s]},\"acls\":[{\"action\":\"accept\",\"src\":[\"group:half\"],\"dst\":[\"user1@:443\"]}]%s}", users,
			    more);
}

static unsigned moved(struct madeup *m, uint64_t version)
{
	rules_look(m->views.rules, m->snapshot, madeup_slot(m, VIEWER));
	return rules_moved(m->views.rules, madeup_slot(m, VIEWER), version);
}

static void written(struct madeup *m, unsigned parts, bool first, struct buffer *text)
{
	struct jsonw w;
	buffer_reset(text);
	jsonw_start(&w, text);
	jsonw_object(&w, NULL);
	rules_write_filter(m->views.rules, &w, m->snapshot, madeup_slot(m, VIEWER), parts, first);
	jsonw_object_end(&w);
	assert_int_equal(jsonw_end(&w), ERR_NONE);
	assert_int_equal(buffer_add_byte(text, 0), ERR_NONE);
}

static bool says(const struct buffer *text, const char *what)
{
	return strstr((const char *)text->at, what) != NULL;
}

static void begin(struct madeup *m, struct buffer *text, const char *more)
{
	buffer_init(text, TEXT_MAX);
	madeup_new(m, NODES, 256);
	madeup_policy(m, policy(m, more));
	moved(m, 0);
}

static void end(struct madeup *m, struct buffer *text)
{
	buffer_clear(text);
	madeup_free(m);
}

static void a_join_moves_what_came_late(void **state)
{
	struct madeup m;
	struct buffer text;
	(void)state;
	begin(&m, &text, "");
	madeup_hand_over(&m, LATE, 1, CHANGE_NODE_REMOVED);
	moved(&m, 0);
	uint64_t version = m.snapshot->version;
	written(&m, OWN_FILTERS, true, &text);
	assert_true(says(&text, "\"base\":[{") && !says(&text, "\"late\"") && !says(&text, "\"caps\""));
	madeup_hand_over(&m, LATE, 1, CHANGE_NODE_ADDED);
	assert_int_equal(moved(&m, version), OWN_LATE);
	written(&m, OWN_LATE, false, &text);
	assert_true(says(&text, "{\"PacketFilters\":{\"late\":[{\"SrcIPs\":[\"100.64.0.198\",\"fd7a:115c:a1e0::c6\"],\"DstPorts\":[{"));
	written(&m, OWN_FILTERS, true, &text);
	assert_true(says(&text, "\"base\":[{") && says(&text, "\"late\":[{"));
	version = m.snapshot->version;
	madeup_hand_over(&m, LATE, 1, CHANGE_NODE_REMOVED);
	assert_int_equal(moved(&m, version), OWN_LATE);
	written(&m, OWN_LATE, false, &text);
	assert_string_equal(text.at, "{\"PacketFilters\":{\"late\":null}}");
	end(&m, &text);
}

/* What a capability says stands in the order of the file, and so in one part. */
static void capabilities_are_whole_and_in_order(void **state)
{
	struct madeup m;
	struct buffer text;
	(void)state;
	begin(&m, &text, ",\"grants\":[" APP("group:half", "1") "," APP("user2@", "2") "]");
	madeup_hand_over(&m, LATE, 1, CHANGE_NODE_REMOVED);
	moved(&m, 0);
	uint64_t version = m.snapshot->version;
	madeup_hand_over(&m, LATE, 1, CHANGE_NODE_ADDED);
	assert_int_equal(moved(&m, version), OWN_LATE | OWN_GRANTS);
	written(&m, OWN_GRANTS, false, &text);
	const char *one = strstr((const char *)text.at, "[1]"), *two = strstr((const char *)text.at, "[2]");
	assert_true(one && two && one < two && says(&text, "\"100.64.0.198\"") && !says(&text, "DstPorts") && !says(&text, "base"));
	version = m.snapshot->version;
	madeup_policy(&m, policy(&m, ""));
	assert_int_equal(moved(&m, version), OWN_GRANTS);
	written(&m, OWN_GRANTS, false, &text);
	assert_string_equal(text.at, "{\"PacketFilters\":{\"caps\":null}}");
	end(&m, &text);
}

/* An edit elsewhere compiles anew, and moves nothing here. */
static void an_edit_elsewhere_moves_nothing(void **state)
{
	struct madeup m;
	struct buffer text;
	(void)state;
	begin(&m, &text, "");
	madeup_hand_over(&m, LATE, 1, CHANGE_NODE_REMOVED);
	moved(&m, 0);
	madeup_hand_over(&m, LATE, 1, CHANGE_NODE_ADDED);
	moved(&m, 0);
	uint64_t version = m.snapshot->version, serial = m.views.rules->serial;
	madeup_policy(&m, policy(&m, ",\"grants\":[{\"src\":[\"user3@\"],\"dst\":[\"user5@\"],\"ip\":[\"22\"]}]"));
	assert_true(m.views.rules->serial > serial);
	assert_int_equal(moved(&m, version), 0);
	/* Nobody may come in: nothing of the parts is left. */
	version = m.snapshot->version;
	madeup_policy(&m, "{\"acls\": []}");
	assert_int_equal(moved(&m, version), OWN_FILTER | OWN_LATE);
	written(&m, OWN_FILTER | OWN_LATE, false, &text);
	assert_string_equal(text.at, "{\"PacketFilters\":{\"base\":[],\"late\":null}}");
	end(&m, &text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_join_moves_what_came_late),
		cmocka_unit_test(capabilities_are_whole_and_in_order),
		cmocka_unit_test(an_edit_elsewhere_moves_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
