#include "selftest.h"

#include "reach.h"
#include "sshrule.h"
#include "table.h"

/* Comparisons that the tests of one policy may take: about two seconds. */
enum { WORK_MAX = 100000000 };

struct run {
	struct policy *policy;
	struct arena *arena;
	struct selftest *result;
	uint64_t work;
	struct table *ssh; /* slot + 1 -> struct sshrules, of nodes that were asked */
};

static const struct node *node_at(const struct run *run, size_t slot)
{
	return run->policy->roll->nodes[slot].node;
}

/* A failure of this test, with room for `most` sentences. */
static struct selftest_failure *failure_of(struct run *run, struct place at, struct bytes user, size_t most)
{
	struct selftest_failure *failure = &run->result->failures[run->result->failure_count];
	*failure = (struct selftest_failure){.at = at, .user = user, .errors = ARENA_ARRAY(run->arena, struct bytes, most)};
	return failure;
}

static void tell(struct run *run, struct selftest_failure *failure, const char *what, struct bytes subject, const char *why)
{
	failure->errors[failure->error_count++] = bytes_text(arena_format(run->arena, "%s \"%.*s\": %s", what, BYTES_ARG(bytes_take(subject, 200)), why));
}

static struct spans addresses_of(struct run *run, const struct bitset *nodes)
{
	struct span *list = ARENA_ARRAY(run->arena, struct span, 2 * bitset_population(nodes));
	size_t count = 0;
	BITSET_EACH(nodes, slot) {
		const struct node *node = node_at(run, slot);
		if (node->ip4.family != IP_NONE)
			list[count++] = (struct span){node->ip4, node->ip4};
		if (node->ip6.family != IP_NONE)
			list[count++] = (struct span){node->ip6, node->ip6};
	}
	return spans_of(list, count);
}

/* Nodes of the users who own the source nodes. */
static void self_nodes(struct run *run, const struct meaning *src, struct bitset *out)
{
	struct table *owners = table_new();
	BITSET_EACH(&src->nodes, slot)
		if (!node_is_tagged(node_at(run, slot)))
			table_put_number(owners, node_at(run, slot)->user, run);
	for (size_t slot = 0; slot < run->policy->roll->node_count; slot++) {
		const struct node *node = node_at(run, slot);
		if (node && !node_is_tagged(node) && table_find_number(owners, node->user))
			bitset_add(out, slot);
	}
	run->work += run->policy->roll->node_count;
	table_free(&owners);
}

static struct spans target_spans(struct run *run, const struct meaning *src, const struct alias *dst)
{
	struct bitset nodes;
	if (dst->kind != ALIAS_SELF)
		return policy_meaning(run->policy, dst)->spans;
	bitset_init(&nodes);
	self_nodes(run, src, &nodes);
	struct spans spans = addresses_of(run, &nodes);
	bitset_clear(&nodes);
	return spans;
}

static bool proto_fits(int rule, int asked)
{
	if (rule == PROTO_ABSENT)
		return true;
	if (asked != PROTO_ABSENT)
		return rule == asked;
	return rule == PROTO_TCP || rule == PROTO_UDP || rule == PROTO_ICMP || rule == PROTO_ICMPV6;
}

static bool port_fits(const struct unit_dst *dst, uint16_t port)
{
	for (size_t i = 0; i < dst->port_count; i++)
		if (dst->ports[i].first <= port && port <= dst->ports[i].last)
			return true;
	return false;
}

static bool overlaps(struct run *run, const struct unit *unit, const struct unit_dst *dst, struct spans target)
{
	struct spans spans = dst->meaning->spans;
	if (dst->meaning->any && !unit->via)
		return true;
	if (dst->meaning->self)
		spans = addresses_of(run, &unit->nodes);
	for (size_t i = 0; i < target.count; i++)
		if (spans_overlap(spans, target.list[i]))
			return true;
	return false;
}

static bool opens(struct run *run, const struct unit *unit, int proto, uint16_t port, struct spans target)
{
	if (unit->app || !proto_fits(unit->proto, proto) || ((unit->via || unit->self_of != UINT32_MAX) && !bitset_any(&unit->nodes)))
		return false;
	for (size_t i = 0; i < unit->dst_count; i++) {
		run->work++;
		if (port_fits(&unit->dst[i], port) && overlaps(run, unit, &unit->dst[i], target))
			return true;
	}
	return false;
}

/* Whether every address of the source finds a rule. */
static bool is_allowed(struct run *run, struct spans src, int proto, uint16_t port, struct spans target)
{
	struct spans covered = {0};
	for (size_t u = 0; u < run->policy->unit_count && run->work < WORK_MAX; u++) {
		const struct unit *unit = &run->policy->units[u];
		bool all = true, some = false;
		run->work++;
		for (size_t i = 0; i < src.count && !some; i++)
			some = unit->source->everything || spans_overlap(unit->source->spans, src.list[i]);
		if (!some || !opens(run, unit, proto, port, target))
			continue;
		if (unit->source->everything)
			return true;
		covered = spans_union(run->arena, covered, unit->source->spans);
		run->work += covered.count;
		for (size_t i = 0; all && i < src.count; i++)
			all = spans_covers(covered, src.list[i]);
		if (all)
			return true;
	}
	return false;
}

static void judge(struct run *run, const struct test *test, const struct meaning *src, struct spans from, const struct test_target *target, bool wanted,
		  struct selftest_failure *failure)
{
	const char *what = wanted ? "accept" : "deny";
	if (target->fault) {
		tell(run, failure, what, target->text, target->fault);
		return;
	}
	struct spans to = target_spans(run, src, &target->alias);
	if (!to.count)
		tell(run, failure, what, target->text, "nothing has such an address");
	else if (is_allowed(run, from, test->proto, target->port, to) != wanted)
		tell(run, failure, what, target->text, wanted ? "is denied" : "is allowed");
}

static void run_test(struct run *run, const struct test *test)
{
	struct selftest_failure *failure = failure_of(run, test->at, test->src.text, test->accept_count + test->deny_count + 1);
	run->result->ran++;
	if (test->fault) {
		tell(run, failure, "src", test->src.text, test->fault);
	} else {
		const struct meaning *src = policy_meaning(run->policy, &test->src);
		struct spans from = src->any ? addresses_of(run, &src->nodes) : src->spans;
		if (!from.count)
			tell(run, failure, "src", test->src.text, "has no address");
		for (size_t i = 0; from.count && i < test->accept_count; i++)
			judge(run, test, src, from, &test->accept[i], true, failure);
		for (size_t i = 0; from.count && i < test->deny_count; i++)
			judge(run, test, src, from, &test->deny[i], false, failure);
	}
	run->result->failure_count += failure->error_count > 0;
}

static const struct sshrules *rules_at(struct run *run, uint32_t slot)
{
	struct sshrules *rules = table_find_number(run->ssh, slot);
	if (rules)
		return rules;
	rules = ARENA_NEW(run->arena, struct sshrules);
	*rules = sshrules_of(run->policy, run->arena, slot);
	for (size_t i = 0; i < rules->count; i++)
		run->work += rules->list[i].principal_count;
	table_put_number(run->ssh, slot, rules);
	return rules;
}

enum { APPLIES = 1, APPLIES_CHECKED = 2 };

static unsigned ssh_applies(struct run *run, const struct sshrules *rules, struct ip source, struct bytes login)
{
	unsigned applies = 0;
	for (size_t i = 0; i < rules->count; i++) {
		run->work += rules->list[i].principal_count;
		if (sshrule_applies(&rules->list[i], source, login))
			applies |= rules->list[i].rule->check ? APPLIES | APPLIES_CHECKED : APPLIES;
	}
	return applies;
}

/* Slots that an alias of an sshTest names: identities, or whoever has the address. */
static void ssh_nodes(struct run *run, const struct meaning *src, const struct alias *alias, struct bitset *out)
{
	if (alias->kind == ALIAS_SELF) {
		self_nodes(run, src, out);
		return;
	}
	const struct meaning *meaning = policy_meaning(run->policy, alias);
	bitset_or(out, &meaning->nodes);
	if (alias->kind != ALIAS_PREFIX && alias->kind != ALIAS_HOST && alias->kind != ALIAS_IPSET)
		return;
	run->work += run->policy->roll->node_count;
	for (size_t slot = 0; slot < run->policy->roll->node_count; slot++) {
		const struct node *node = node_at(run, slot);
		if (node && (spans_has(meaning->spans, node->ip4) || spans_has(meaning->spans, node->ip6)))
			bitset_add(out, slot);
	}
}

/* Every address of every source at every destination: all must say the same. */
static bool ssh_agrees(struct run *run, struct spans from, const struct bitset *to, struct bytes login, unsigned mask, bool wanted)
{
	BITSET_EACH(to, slot) {
		const struct sshrules *rules = rules_at(run, (uint32_t)slot);
		for (size_t i = 0; i < from.count && run->work < WORK_MAX; i++) {
			bool first = ssh_applies(run, rules, from.list[i].first, login) & mask;
			bool last = ssh_applies(run, rules, from.list[i].last, login) & mask;
			if (first != wanted || last != wanted)
				return false;
		}
	}
	return true;
}

static void judge_logins(struct run *run, struct spans from, const struct bitset *to, const struct bytes *logins, size_t count, const char *what,
			 struct selftest_failure *failure)
{
	unsigned mask = *what == 'c' ? APPLIES_CHECKED : APPLIES;
	bool wanted = *what != 'd';
	for (size_t i = 0; i < count; i++)
		if (!ssh_agrees(run, from, to, logins[i], mask, wanted))
			tell(run, failure, what, logins[i], wanted ? "is refused" : "is let in");
}

static void run_ssh_test(struct run *run, const struct ssh_test *test)
{
	struct bitset to;
	struct selftest_failure *failure =
		failure_of(run, test->at, test->src.text, test->accept_count + test->deny_count + test->check_count + test->dst_count + 1);
	run->result->ran++;
	bitset_init(&to);
	if (test->fault) {
		tell(run, failure, "src", test->src.text, test->fault);
	} else {
		const struct meaning *src = policy_meaning(run->policy, &test->src);
		struct bitset from_nodes;
		bitset_init(&from_nodes);
		ssh_nodes(run, src, &test->src, &from_nodes);
		struct spans from = bitset_any(&from_nodes) ? addresses_of(run, &from_nodes) : src->spans;
		bitset_clear(&from_nodes);
		for (size_t i = 0; i < test->dst_count; i++) {
			struct bitset one;
			bitset_init(&one);
			ssh_nodes(run, src, &test->dst[i], &one);
			if (!bitset_any(&one))
				tell(run, failure, "dst", test->dst[i].text, "is no node");
			bitset_or(&to, &one);
			bitset_clear(&one);
		}
		if (!from.count)
			tell(run, failure, "src", test->src.text, "has no address");
		judge_logins(run, from, &to, test->accept, test->accept_count, "accept", failure);
		judge_logins(run, from, &to, test->deny, test->deny_count, "deny", failure);
		judge_logins(run, from, &to, test->check, test->check_count, "check", failure);
	}
	bitset_clear(&to);
	run->result->failure_count += failure->error_count > 0;
}

enum err selftest_run(struct policy *policy, struct arena *arena, struct selftest *result, struct diag *why)
{
	const struct document *document = policy->document;
	struct run run = {.policy = policy, .arena = arena, .result = result, .ssh = table_new()};
	*result = (struct selftest){.failures = ARENA_ARRAY(arena, struct selftest_failure, document->test_count + document->ssh_test_count + 1)};
	for (size_t i = 0; i < document->test_count && run.work < WORK_MAX; i++)
		run_test(&run, &document->tests[i]);
	for (size_t i = 0; i < document->ssh_test_count && run.work < WORK_MAX; i++)
		run_ssh_test(&run, &document->ssh_tests[i]);
	table_free(&run.ssh);
	if (run.work >= WORK_MAX)
		return diag_set(why, ERR_TOO_BIG, "the tests of this policy take too long: %zu of %zu ran", result->ran,
				document->test_count + document->ssh_test_count);
	if (!result->failure_count)
		return ERR_NONE;
	enum err e = diag_set(why, ERR_MALFORMED, "test(s) failed");
	if (why)
		why->line = result->failures[0].at.line, why->column = result->failures[0].at.column;
	return e;
}
