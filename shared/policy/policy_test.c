#include "policy.h"

#include "buffer.h"
#include "smallnet.h"

static bool is_set(const struct bitset *set, const char *slots)
{
	size_t count = strlen(slots);
	for (size_t i = 0; i < count; i++)
		if (!bitset_has(set, (size_t)(slots[i] - '0')))
			return false;
	return bitset_population(set) == count;
}

static const char *texts_of(struct arena *arena, struct spans spans)
{
	char *all = arena_format(arena, "%s", "");
	for (size_t i = 0; i < spans.count; i++) {
		char one[SPAN_TEXT_MAX];
		span_format(one, spans.list[i]);
		all = arena_format(arena, "%s%s%s", all, i ? " " : "", one);
	}
	return all;
}

/* Rules whose sources are the aliases in question. */
#define SRC(alias) "{\"action\": \"accept\", \"src\": [" alias "], \"dst\": [\"tag:server:1\"]}"
#define GROUPS "\"groups\": {\"group:two\": [\"odin@example.com\", \"thor@example.org\", \"nobody@example.com\"]}, "

static const struct {
	const char *alias, *nodes, *spans;
} meanings[] = {
	{"\"odin@example.com\"", "0", "100.64.0.1 fd7a:115c:a1e0::1"},
	{"\"odin@\"", "0", "100.64.0.1 fd7a:115c:a1e0::1"},
	{"\"Odin@example.com\"", "", ""},
	{"\"group:two\"", "02", "100.64.0.1 100.64.0.3 fd7a:115c:a1e0::1 fd7a:115c:a1e0::3"},
	{"\"tag:router\"", "56", "100.64.0.6/31 fd7a:115c:a1e0::6/127"},
	{"\"autogroup:member\"", "012", "100.64.0.1-100.64.0.3 fd7a:115c:a1e0::1-fd7a:115c:a1e0::3"},
	{"\"autogroup:tagged\"", "34567", "100.64.0.4-100.64.0.8 fd7a:115c:a1e0::4-fd7a:115c:a1e0::8"},
	{"\"autogroup:admin\"", "01", "100.64.0.1-100.64.0.2 fd7a:115c:a1e0::1-fd7a:115c:a1e0::2"},
	{"\"autogroup:owner\"", "0", "100.64.0.1 fd7a:115c:a1e0::1"},
	{"\"autogroup:shared\"", "", ""},
	{"\"user:*@example.com\"", "01", "100.64.0.1-100.64.0.2 fd7a:115c:a1e0::1-fd7a:115c:a1e0::2"},
	{"\"10.33.4.5/24\"", "", "10.33.4.0/24"},
	{"\"web\"", "", "100.64.0.4"},
	{"\"*\"", "01234567", "100.64.0.0-100.115.91.255 100.115.94.0-100.127.255.255 fd7a:115c:a1e0::/48"},
};

static void aliases_mean_nodes_or_addresses(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(meanings); i++) {
		struct smallnet net;
		smallnet_init(&net);
		struct policy *policy = smallnet_policy(
			&net, arena_format(net.arena, "{" SMALLNET_TAGS ", " GROUPS "\"hosts\": {\"web\": \"100.64.0.4\"}, \"acls\": [" SRC("%s") "]}",
					   meanings[i].alias));
		const struct alias *alias = &policy->document->rules[0].src.list[0];
		const struct meaning *meaning = policy_meaning(policy, alias);
		assert_true(is_set(&meaning->nodes, meanings[i].nodes));
		assert_string_equal(texts_of(net.arena, meaning->spans), meanings[i].spans);
		assert_ptr_equal(meaning, policy_meaning(policy, alias));
		policy_free(&policy);
		assert_null(policy);
		smallnet_clear(&net);
	}
}

/* Every other set takes away what the one before gave. */
static void ipsets_may_lie_deep(void **state)
{
	(void)state;
	enum { DEPTH = 5000 };
	struct smallnet net;
	struct buffer text;
	smallnet_init(&net);
	buffer_init(&text, 1 << 20);
	assert_int_equal(buffer_add_text(&text, "{" SMALLNET_TAGS ", \"acls\": [" SRC("\"ipset:s0\"") "], \"ipsets\": {"), ERR_NONE);
	for (unsigned i = 0; i < DEPTH; i++)
		assert_int_equal(buffer_format(&text, "\"ipset:s%u\": [\"10.0.0.0/30\", \"remove ipset:s%u\"], ", i, i + 1), ERR_NONE);
	assert_int_equal(buffer_format(&text, "\"ipset:s%u\": [\"10.0.0.1\", \"add 10.0.0.2\", \"remove 10.0.0.1\"]}}", DEPTH), ERR_NONE);
	struct policy *policy = smallnet_policy(&net, arena_text(net.arena, buffer_bytes(&text)));
	assert_string_equal(texts_of(net.arena, policy->units[0].source->spans), "10.0.0.2");
	policy_free(&policy);
	buffer_clear(&text);
	smallnet_clear(&net);
}

static void groups_from_outside_and_inside_are_one(void **state)
{
	(void)state;
	struct smallnet net;
	struct bytes outer = BYTES("group:two");
	smallnet_init(&net);
	net.roll_users[1].groups = &outer;
	net.roll_users[1].group_count = 1;
	struct policy *policy = smallnet_policy(&net, "{" SMALLNET_TAGS ", " GROUPS "\"acls\": [" SRC("\"group:two\"") "]}");
	assert_true(is_set(&policy->units[0].source->nodes, "012"));
	policy_free(&policy);
	smallnet_clear(&net);
}

static void equal_sources_are_one(void **state)
{
	(void)state;
	struct smallnet net;
	smallnet_init(&net);
	struct policy *policy = smallnet_policy(
		&net,
		"{" SMALLNET_TAGS
		", \"acls\": [" SRC("\"odin@example.com\"") ", " SRC("\"100.64.0.1\", \"fd7a:115c:a1e0::1\"") ", " SRC("\"100.64.0.1\"") ", " SRC(
			"\"odin@\", \"odin@example.com\"") ", " SRC("\"100.64.0.0/31\"") ", " SRC("\"*\"") ", " SRC("\"10.33.0.0/16\", \"*\"") ", " SRC("\"10."
																			"33.0."
																			"0/"
																			"16\"") "]}");
	static const uint32_t same_as[] = {0, 0, 2, 0, 4, 5, 5, 7};
	assert_int_equal(policy->unit_count, COUNT_OF(same_as));
	for (size_t i = 0; i < COUNT_OF(same_as); i++) {
		assert_int_equal(policy->units[i].source->number, policy->units[same_as[i]].source->number);
		assert_int_equal(policy->units[i].merged, same_as[i]);
		assert_int_equal(policy->units[i].common, same_as[i]);
	}
	assert_true(is_set(&policy->units[2].source->own, "0"));
	assert_true(is_set(&policy->units[7].source->own, ""));
	assert_true(is_set(&policy->units[7].source->nodes, "56"));
	assert_true(is_set(&policy->units[5].source->nodes, "01234567"));
	policy_free(&policy);
	smallnet_clear(&net);
}

static void units_know_their_nodes(void **state)
{
	(void)state;
	static const struct {
		const char *dst, *nodes;
		bool covers;
	} cases[] = {
		{"tag:server:1", "3", false},
		{"*:1", "01234567", true},
		{"10.33.9.0/24:1", "56", false},
		{"10.0.0.0/8:1", "56", false},
		{"10.34.0.0/16:1", "", false},
		{"autogroup:internet:1", "7", true},
		{"0.0.0.0/0:1", "01234567", true},
		{"100.64.0.0/30:1", "012", false},
		{"8.8.8.0/24:1", "", false},

		{"0.0.0.0/1:1\", \"128.0.0.0/1:1", "01234567", true},
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct smallnet net;
		smallnet_init(&net);
		struct policy *policy = smallnet_policy(
			&net, arena_format(net.arena, "{" SMALLNET_TAGS ", \"acls\": [{\"action\": \"accept\", \"src\": [\"*\"], \"dst\": [\"%s\"]}]}",
					   cases[i].dst));
		assert_int_equal(policy->unit_count, 1);
		assert_true(is_set(&policy->units[0].nodes, cases[i].nodes));
		assert_int_equal(policy->units[0].covers_internet, cases[i].covers);
		policy_free(&policy);
		smallnet_clear(&net);
	}
}

static void self_is_a_unit_per_user(void **state)
{
	(void)state;
	struct smallnet net;
	smallnet_init(&net);
	net.nodes[THOR].user = 1; /* odin's second */
	struct policy *policy = smallnet_policy(&net, "{" SMALLNET_TAGS ", \"acls\": [{\"action\": \"accept\", \"src\": [\"odin@example.com\", "
						      "\"freya@example.com\"], \"dst\": [\"autogroup:self:*\"]}]}");
	assert_int_equal(policy->unit_count, 2);
	assert_true(is_set(&policy->units[0].nodes, "02") && is_set(&policy->units[0].source->nodes, "02"));
	assert_true(is_set(&policy->units[1].nodes, "1") && is_set(&policy->units[1].source->nodes, "1"));
	assert_int_equal(policy->units[0].self_of, 0);
	assert_int_equal(policy->units[1].self_of, 1);
	assert_int_equal(policy->units[1].common, UINT32_MAX);
	policy_free(&policy);
	smallnet_clear(&net);
}

static const struct {
	const char *claims, *nodes;
} postures[] = {
	{"\"node:os == 'linux'\"", "0"},
	{"\"node:os != 'linux'\"", "1"},
	{"\"node:os IN ['linux', 'macos']\"", "01"},
	{"\"node:os NOT IN ['linux']\"", "1"},
	{"\"node:tsVersion >= '1.40'\"", "0"},
	{"\"node:tsVersion < '1.40'\"", "1"},
	{"\"node:tsVersion > '1.9.2'\", \"node:os == 'linux'\"", "0"},
	{"\"custom:tier IS SET\"", "2"},
	{"\"custom:tier NOT SET\"", "01"},
};

static void rules_ask_for_postures(void **state)
{
	(void)state;
	struct roll_fact tux[] = {{BYTES("node:os"), BYTES("linux")}, {BYTES("node:tsVersion"), BYTES("1.100.1")}};
	struct roll_fact mac[] = {{BYTES("node:os"), BYTES("macos")}, {BYTES("node:tsVersion"), BYTES("1.9.2")}};
	struct roll_fact tier[] = {{BYTES("custom:tier"), BYTES("2")}};
	for (size_t i = 0; i < COUNT_OF(postures); i++) {
		struct smallnet net;
		smallnet_init(&net);
		net.slots[ODIN].facts = tux;
		net.slots[FREYA].facts = mac;
		net.slots[ODIN].fact_count = net.slots[FREYA].fact_count = 2;
		net.slots[THOR].facts = tier;
		net.slots[THOR].fact_count = 1;
		struct policy *policy = smallnet_policy(
			&net, arena_format(net.arena,
					   "{" SMALLNET_TAGS ", \"postures\": {\"posture:x\": [%s]}, \"acls\": [{\"action\": \"accept\", \"src\": "
					   "[\"autogroup:member\", \"100.64.0.1\"], \"dst\": [\"*:*\"], \"srcPosture\": [\"posture:x\"]}]}",
					   postures[i].claims));
		for (uint32_t slot = ODIN; slot <= THOR; slot++) {
			bool satisfied = strchr(postures[i].nodes, (int)('0' + slot)) != NULL;
			assert_int_equal(policy_posture(policy, policy->units[0].rule, slot), satisfied);
			assert_int_equal(bitset_has(&policy->units[0].source->nodes, slot), satisfied);
		}
		policy_free(&policy);
		smallnet_clear(&net);
	}
}

static void nothing_is_a_tailnet_too(void **state)
{
	(void)state;
	struct smallnet net;
	smallnet_init(&net);
	net.roll = (struct roll){0};
	struct policy *policy = smallnet_policy(&net, "{" SMALLNET_TAGS ", \"acls\": [" SRC("\"*\", \"tag:client\"") ", " SRC("\"tag:client\"") "]}");
	assert_int_equal(policy->unit_count, 1); /* no node has the tag */
	policy_free(&policy);
	policy_free(&policy);
	smallnet_clear(&net);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(aliases_mean_nodes_or_addresses), cmocka_unit_test(groups_from_outside_and_inside_are_one),
		cmocka_unit_test(equal_sources_are_one),           cmocka_unit_test(units_know_their_nodes),
		cmocka_unit_test(self_is_a_unit_per_user),         cmocka_unit_test(rules_ask_for_postures),
		cmocka_unit_test(nothing_is_a_tailnet_too),        cmocka_unit_test(ipsets_may_lie_deep),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
