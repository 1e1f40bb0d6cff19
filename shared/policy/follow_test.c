#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "attrs.h"
#include "buffer.h"
#include "explain.h"
#include "filter.h"
#include "follow.h"
#include "shiftnet.h"
#include "sshrule.h"
#include "visible.h"

#define TAGS "\"tagOwners\": {\"tag:t0\": [], \"tag:t1\": [], \"tag:t2\": [], \"tag:t3\": []}, "
#define GROUPS "\"groups\": {\"group:a\": [\"u0@example.org\", \"u1@example.com\"], \"group:b\": [\"u1@example.com\"]}, "
#define ACL(src, dst) "{\"action\": \"accept\", \"src\": [" src "], \"dst\": [" dst "]}"

/* Rules of every kind over the tags, users, addresses and routes of a shiftnet. */
static const char *const policies[] = {
	"{" TAGS "\"acls\": [" ACL("\"*\"", "\"*:*\"") "]}",
	"{" TAGS "\"acls\": [" ACL("\"tag:t0\"", "\"tag:t1:80\"") "," ACL("\"tag:t0\", \"tag:t2\"", "\"tag:t1:443\"") "," ACL("\"autogroup:member\"",
															      "\"tag:t0:22\"") "]}",
	"{" TAGS GROUPS
	"\"acls\": [" ACL("\"group:a\"", "\"tag:t0:80\", \"10.0.0.0/8:*\"") "," ACL("\"group:b\"", "\"tag:t0:80\", \"autogroup:internet:*\"") "," ACL(
		"\"autogroup:admin\"", "\"*:22\"") "," ACL("\"u3@example.com\"", "\"u0@example.org:*\"") "]}",
	"{" TAGS GROUPS "\"acls\": [" ACL("\"autogroup:member\"", "\"autogroup:self:*\"") "," ACL("\"group:a\", \"tag:t1\"", "\"autogroup:tagged:1-9\"") "]}",
	"{" TAGS "\"acls\": [" ACL("\"100.64.0.0/26\", \"tag:t3\"", "\"100.64.0.0/27:*\", \"tag:t1:7\"") "," ACL("\"tag:t1\"",
														 "\"100.64.0.16/28:80\", \"tag:t2:80\"") "]}",
	"{" TAGS "\"postures\": {\"posture:p\": [\"node:os == 'linux'\"], \"posture:q\": [\"custom:tier >= '1'\"]}, \"grants\": ["
	"{\"src\": [\"autogroup:member\"], \"dst\": [\"tag:t0\"], \"ip\": [\"tcp:443\", \"udp:53\"], \"srcPosture\": [\"posture:p\"]},"
	"{\"src\": [\"tag:t1\"], \"dst\": [\"tag:t2\", \"10.33.0.0/16\"], \"ip\": [\"*\"], \"srcPosture\": [\"posture:q\", \"posture:p\"]}]}",
	"{" TAGS "\"grants\": [{\"src\": [\"autogroup:member\", \"tag:t0\"], \"dst\": [\"tag:t1\"], \"app\": {\"tailscale.com/cap/drive\": [{\"a\": 1}]}},"
	"{\"src\": [\"tag:t2\"], \"dst\": [\"10.0.0.0/8\"], \"ip\": [\"*\"], \"via\": [\"tag:t3\"]},"
	"{\"src\": [\"autogroup:member\"], \"dst\": [\"autogroup:internet\"], \"ip\": [\"*\"], \"via\": [\"tag:t1\"]},"
	"{\"src\": [\"autogroup:member\"], \"dst\": [\"autogroup:self\"], \"app\": {\"example.com/cap\": [1], \"tailscale.com/cap/relay\": []}}]}",
	"{" TAGS GROUPS
	"\"ssh\": [{\"action\": \"check\", \"src\": [\"autogroup:member\"], \"dst\": [\"autogroup:self\"], \"users\": [\"root\", \"autogroup:nonroot\"]},"
	"{\"action\": \"accept\", \"src\": [\"group:a\", \"tag:t0\"], \"dst\": [\"tag:t1\", \"tag:t2\"], \"users\": [\"a\"], \"recorder\": [\"tag:t3\"]},"
	"{\"action\": \"accept\", \"src\": [\"autogroup:admin\", \"autogroup:tagged\"], \"dst\": [\"tag:t3\"], \"users\": [\"localpart:*@example.com\"]}],"
	"\"nodeAttrs\": [{\"target\": [\"tag:t0\", \"group:b\"], \"attr\": [\"funnel\"]}, {\"target\": [\"autogroup:member\"], \"attr\": [\"x\"]},"
	"{\"target\": [\"100.64.0.0/26\"], \"attr\": [\"y\"]}], \"acls\": [" ACL("\"autogroup:owner\"", "\"*:*\"") "]}",
	"{" TAGS "\"ipsets\": {\"ipset:i\": [\"add 100.64.0.0/26\", \"remove 100.64.0.3\"]}, \"acls\": [" ACL("\"ipset:i\", \"tag:t0\"",
													      "\"ipset:i:80\", \"tag:t1:80\"") "]}",
	"{" TAGS GROUPS
	"\"acls\": [" ACL("\"*\", \"tag:t0\"", "\"tag:t1:80\"") "," ACL("\"*\", \"group:a\"", "\"tag:t2:*\"") "," ACL("\"group:outer\", \"*\"", "\"*:7\"") "]}",
	/* Nodes that move beside others of their user that went. */
	"{" TAGS "\"postures\": {\"posture:p\": [\"custom:tier >= '1'\"]}, \"acls\": [" ACL(
		"\"autogroup:member\"", "\"autogroup:self:*\"") "],"
								"\"grants\": [{\"src\": [\"u1@example.com\", \"u2@example.org\"], \"dst\": [\"10.0.0.0/8\"], "
								"\"ip\": [\"*\"], \"srcPosture\": [\"posture:p\"]}]}",
	"{" TAGS "\"ipsets\": {\"ipset:i\": [\"add tag:t0\", \"add tag:t1\"]}, \"acls\": [" ACL("\"ipset:i\"", "\"tag:t1:80\"") "]}",
	"{" TAGS "\"acls\": [" ACL("\"*\", \"tag:t0\", \"tag:t1\"", "\"tag:t1:80\"") "," ACL("\"autogroup:danger-all\"", "\"tag:t2:*\"") "]}",
};

static const struct surroundings *around(const struct shiftnet *net)
{
	static struct bytes groups[] = {BYTES("group:outer")};
	static struct surroundings all;
	all = (struct surroundings){.domains = &net->domain, .domain_count = 1, .groups = groups, .group_count = 1};
	return &all;
}

static struct document *read(struct shiftnet *net, const char *text)
{
	struct document *document = NULL;
	struct diag why = {{0}, 0, 0};
	if (document_read(net->arena, bytes_text(text), around(net), &document, &why))
		fail_msg("%u:%u: %s in %s", why.line, why.column, why.text, text);
	return document;
}

/* ---- all that a policy answers, as text ---- */

static void add_ip(struct buffer *out, struct ip ip)
{
	char text[IP_TEXT_MAX];
	assert_false(buffer_add(out, bytes_of(text, ip_format(text, ip))));
}

static void add_prefix(struct buffer *out, struct prefix prefix)
{
	add_ip(out, prefix.ip);
	assert_false(buffer_format(out, "/%u,", prefix.bits));
}

static void add_filter(struct buffer *out, struct policy *policy, struct arena *arena, uint32_t slot)
{
	struct filter filter = filter_of(policy, arena, slot);
	for (size_t i = 0; i < filter.count; i++) {
		const struct filter_rule *rule = &filter.rules[i];
		assert_false(buffer_format(out, "\n  from"));
		for (size_t k = 0; k < rule->source->text_count; k++)
			assert_false(buffer_format(out, " %.*s", BYTES_ARG(rule->source->texts[k])));
		assert_false(buffer_format(out, " proto %d to", rule->proto));
		for (size_t k = 0; k < rule->dst_count; k++)
			assert_false(buffer_format(out, " %.*s:%u-%u", BYTES_ARG(rule->dst[k].ip), rule->dst[k].ports.first, rule->dst[k].ports.last));
		for (size_t k = 0; k < rule->grant_count; k++) {
			assert_false(buffer_format(out, " %.*s of ", BYTES_ARG(rule->grants[k].app->name)));
			for (size_t d = 0; d < rule->grants[k].dst_count; d++)
				add_prefix(out, rule->grants[k].dsts[d]);
		}
	}
}

static void add_ssh(struct buffer *out, struct policy *policy, struct arena *arena, uint32_t slot)
{
	struct sshrules rules = sshrules_of(policy, arena, slot);
	for (size_t i = 0; i < rules.count; i++) {
		struct endpoint *recorders;
		size_t count = sshrule_recorders(policy, arena, rules.list[i].rule, &recorders);
		assert_false(buffer_format(out, "\n  ssh %u from", rules.list[i].rule->at.line));
		for (size_t k = 0; k < rules.list[i].principal_count; k++)
			assert_false(buffer_add(out, BYTES(" "))), add_ip(out, rules.list[i].principals[k]);
		for (size_t k = 0; k < rules.list[i].user_count; k++)
			assert_false(buffer_format(out, " %.*s=%.*s", BYTES_ARG(rules.list[i].users[k].login), BYTES_ARG(rules.list[i].users[k].local)));
		for (size_t k = 0; k < count; k++)
			assert_false(buffer_add(out, BYTES(" rec "))), add_ip(out, recorders[k].ip);
	}
}

static void add_sight(struct buffer *out, struct policy *policy, uint32_t slot)
{
	const struct sight *sight = visible_sight(policy, slot);
	assert_false(buffer_format(out, "\n  sees"));
	for (size_t i = 0; sight && i < policy->roll->node_count; i++)
		if (bitset_has(&sight->row, i))
			assert_false(buffer_format(out, " %zu", i));
	for (size_t i = 0; sight && i < sight->router_count; i++) {
		assert_false(buffer_format(out, " by %u ", sight->routers[i].slot));
		for (size_t k = 0; k < sight->routers[i].count; k++)
			add_prefix(out, sight->routers[i].routes[k]);
	}
}

static void add_explained(struct buffer *out, struct policy *policy, struct arena *arena, uint32_t slot)
{
	const struct node *from = policy->roll->nodes[slot].node, *to = policy->roll->nodes[(slot * 7 + 3) % policy->roll->node_count].node;
	if (!from || !to || from->ip4.family == IP_NONE || to->ip4.family == IP_NONE)
		return;
	struct explain_question question = {from->ip4, to->ip4, 6, (uint16_t)(slot % 3 ? 80 : 22)};
	struct explain said = explain_ask(policy, arena, &question);
	assert_false(buffer_format(out, "\n  asked %d at %u:", said.allowed, said.router));
	for (size_t i = 0; i < said.reason_count; i++)
		assert_false(buffer_format(out, " %u.%u", said.reasons[i].rule->at.line, said.reasons[i].rule->at.column));
}

static void dump_slot(struct buffer *out, struct policy *policy, uint32_t slot)
{
	struct arena *arena = arena_new();
	buffer_reset(out);
	add_filter(out, policy, arena, slot);
	add_sight(out, policy, slot);
	add_ssh(out, policy, arena, slot);
	struct attrs attrs = policy->roll->nodes[slot].node ? attrs_of(policy, arena, slot, true) : (struct attrs){0};
	for (size_t i = 0; i < attrs.count; i++)
		assert_false(buffer_format(out, "\n  attr %.*s", BYTES_ARG(attrs.list[i].name)));
	add_explained(out, policy, arena, slot);
	arena_free(&arena);
}

struct look {
	struct buffer filter, ssh;
};

static void check(struct shiftnet *net, struct policy *followed, const struct document *document, uint64_t seed)
{
	struct policy *fresh = policy_compile(document, &net->roll);
	struct buffer a, b;
	buffer_init(&a, 64 << 20);
	buffer_init(&b, 64 << 20);
	for (uint32_t slot = 0; slot < net->roll.node_count; slot++) {
		dump_slot(&a, followed, slot);
		dump_slot(&b, fresh, slot);
		if (!bytes_equal(buffer_bytes(&a), buffer_bytes(&b)))
			fail_msg("seed %llu, slot %u: followed%.*s\ncompiled%.*s", (unsigned long long)seed, slot, BYTES_ARG(buffer_bytes(&a)),
				 BYTES_ARG(buffer_bytes(&b)));
	}
	buffer_clear(&a);
	buffer_clear(&b);
	policy_free(&fresh);
}

/* ---- who is not touched is told the same as before ---- */

static void look_at(struct policy *policy, struct look looks[static SHIFT_SLOTS])
{
	struct arena *arena = arena_new();
	for (uint32_t slot = 0; slot < policy->roll->node_count; slot++) {
		buffer_reset(&looks[slot].filter);
		buffer_reset(&looks[slot].ssh);
		add_filter(&looks[slot].filter, policy, arena, slot);
		add_ssh(&looks[slot].ssh, policy, arena, slot);
	}
	arena_free(&arena);
}

static void check_untouched(const struct look *was, const struct look *is, size_t count, const struct touched *touched, const struct bitset *changed)
{
	for (size_t slot = 0; slot < count; slot++) {
		if (bitset_has(changed, slot))
			continue;
		if (!bitset_has(&touched->filters, slot))
			assert_true(bytes_equal(buffer_bytes(&was[slot].filter), buffer_bytes(&is[slot].filter)));
		if (!bitset_has(&touched->ssh, slot))
			assert_true(bytes_equal(buffer_bytes(&was[slot].ssh), buffer_bytes(&is[slot].ssh)));
	}
}

struct walk {
	struct shiftnet net;
	struct document *document;
	struct policy *policy;
	struct look was[SHIFT_SLOTS], is[SHIFT_SLOTS];
	size_t followed, compiled;
};

static void step(struct walk *w, uint64_t seed)
{
	uint32_t slots[SHIFT_SLOTS];
	struct touched touched = {0};
	struct bitset changed = {0};
	for (uint64_t i = 1 + (shift_chance(&w->net, 40) ? shift_dice(&w->net, 8) : 0); i; i--)
		shift(&w->net);
	bitset_copy(&changed, &w->net.changed);
	size_t count = shiftnet_take(&w->net, slots);
	if (policy_follow(w->policy, slots, count, &touched)) {
		w->followed++;
		look_at(w->policy, w->is);
		check_untouched(w->was, w->is, w->net.roll.node_count, &touched, &changed);
	} else {
		w->compiled++;
		policy_free(&w->policy);
		w->policy = policy_compile(w->document, &w->net.roll);
	}
	check(&w->net, w->policy, w->document, seed);
	look_at(w->policy, w->was);
	bitset_clear(&changed);
	bitset_clear(&touched.filters);
	bitset_clear(&touched.ssh);
}

static size_t walk(uint64_t seed, const char *text, size_t nodes, size_t steps, size_t *compiled)
{
	static struct walk w;
	w = (struct walk){.followed = 0};
	shiftnet_init(&w.net, seed, nodes);
	for (size_t i = 0; i < SHIFT_SLOTS; i++) {
		buffer_init(&w.was[i].filter, 1 << 20), buffer_init(&w.was[i].ssh, 1 << 20);
		buffer_init(&w.is[i].filter, 1 << 20), buffer_init(&w.is[i].ssh, 1 << 20);
	}
	w.document = read(&w.net, text);
	w.policy = policy_compile(w.document, &w.net.roll);
	bitset_clear(&w.net.changed);
	look_at(w.policy, w.was);
	for (size_t i = 0; i < steps; i++)
		step(&w, seed);
	for (size_t i = 0; i < SHIFT_SLOTS; i++) {
		buffer_clear(&w.was[i].filter), buffer_clear(&w.was[i].ssh);
		buffer_clear(&w.is[i].filter), buffer_clear(&w.is[i].ssh);
	}
	policy_free(&w.policy);
	shiftnet_clear(&w.net);
	*compiled += w.compiled;
	return w.followed;
}

static void a_followed_policy_is_a_compiled_one(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(policies); i++) {
		size_t followed = 0, compiled = 0;
		for (uint64_t seed = 1; seed <= 4; seed++)
			followed += walk(seed * 100 + i, policies[i], (size_t[]){8, 40, 60, 120}[seed % 4], 40, &compiled);
		/* The last two have address sets that are made of nodes. */
		if (i + 2 < COUNT_OF(policies))
			assert_true(followed > compiled);
		else
			assert_int_equal(followed, 0);
	}
}

/* A node that moves is followed while the row of another one of its user, which is followed later, is gone already. */
static void who_went_is_not_asked_any_more(void **state)
{
	(void)state;
	static const char text[] =
		"{" TAGS "\"postures\": {\"posture:p\": [\"custom:tier >= '1'\"]}, \"acls\": [" ACL("\"autogroup:member\"", "\"autogroup:self:*\"") "," ACL(
			"\"u0@example.org\"", "\"100.64.0.10:80\"") "], \"grants\": [{\"src\": [\"u0@example.org\"], \"dst\": "
								    "[\"10.0.0.0/8\"], \"ip\": [\"*\"], \"srcPosture\": "
								    "[\"posture:p\"]}]}";
	static struct roll_fact tier = {BYTES("custom:tier"), BYTES("1")};
	struct node nodes[4] = {{0}};
	struct shiftnet net;
	struct touched touched = {0};
	shiftnet_init(&net, 1, 0);
	for (size_t i = 0; i < COUNT_OF(nodes); i++) {
		nodes[i] = (struct node){.id = 1 + i, .user = 1, .approved = true, .ip4 = {.family = IP_V4, .byte = {100, 64, 0, (uint8_t)(10 + i)}}};
		net.slots[i] = (struct roll_node){&nodes[i], &tier, i == 3};
	}
	net.roll.node_count = COUNT_OF(nodes);
	struct document *document = read(&net, text);
	struct policy *policy = policy_compile(document, &net.roll);
	(void)visible_sight(policy, 0);
	net.slots[0].fact_count = 1;
	net.slots[1].node = NULL;
	assert_true(policy_follow(policy, (const uint32_t[]){0, 1}, 2, &touched) && touched.sights);
	check(&net, policy, document, 0);
	policy_free(&policy);
	bitset_clear(&touched.filters);
	bitset_clear(&touched.ssh);
	shiftnet_clear(&net);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_followed_policy_is_a_compiled_one),
		cmocka_unit_test(who_went_is_not_asked_any_more),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
