#include "selftest.h"

#include <stdlib.h>

#include "reach.h"
#include "sshrule.h"
#include "table.h"

enum {
	WORK_MAX = 100000000, /* comparisons that the tests of one policy may take: a few seconds */
	KEPT_MAX = 4 << 20    /* entries of what is kept from one test for the next, of each kind */
};

/* The source of tests. */
struct origin {
	struct spans from;
	struct spans self; /* addresses of the nodes of its users; there when `has_self` */
	uint32_t *sources; /* numbers of sources of rules that overlap it */
	size_t source_count;
	bool has_self;
};

struct run {
	struct policy *policy;
	struct arena *arena; /* of the result */
	struct selftest *result;
	uint64_t work;
	uint32_t *first; /* per source: where its units begin in `units`; one more at the end */
	uint32_t *units;
	struct arena *origins_arena, *ssh_arena;
	struct table *origins; /* meaning -> struct origin */
	struct table *ssh;     /* slot -> struct sshrules with sorted principals, of nodes that were asked */
	size_t origins_kept, ssh_kept, told;
	struct arena *rests[2]; /* what of a source found no rule yet: one is read, one is written */
};

static const struct node *node_at(const struct run *run, size_t slot)
{
	return run->policy->roll->nodes[slot].node;
}

static struct selftest_failure *failure_of(struct run *run, struct place at, struct bytes user)
{
	struct selftest_failure *failure = &run->result->failures[run->result->failure_count];
	*failure = (struct selftest_failure){.at = at, .user = user};
	return failure;
}

static void tell(struct run *run, struct selftest_failure *failure, const char *what, struct bytes subject, const char *why)
{
	size_t count = failure->error_count;
	if (run->told == SELFTEST_TOLD_MAX)
		return;
	/* Room doubles. */
	if (!(count & (count - 1))) {
		struct bytes *errors = ARENA_ARRAY(run->arena, struct bytes, count ? 2 * count : 1);
		if (count)
			memcpy(errors, failure->errors, count * sizeof *errors);
		failure->errors = errors;
	}
	failure->errors[failure->error_count++] = bytes_text(arena_format(run->arena, "%s \"%.*s\": %s", what, BYTES_ARG(bytes_take(subject, 200)), why));
	run->told++;
}

/* Whether there is more to find out. */
static bool goes_on(const struct run *run)
{
	return run->work < WORK_MAX && run->told < SELFTEST_TOLD_MAX;
}

static struct spans addresses_of(struct run *run, struct arena *arena, const struct bitset *nodes)
{
	struct span *list = ARENA_ARRAY(arena, struct span, 2 * bitset_population(nodes));
	size_t count = 0;
	BITSET_EACH(nodes, slot) {
		const struct node *node = node_at(run, slot);
		if (node->ip4.family != IP_NONE)
			list[count++] = (struct span){node->ip4, node->ip4};
		if (node->ip6.family != IP_NONE)
			list[count++] = (struct span){node->ip6, node->ip6};
	}
	run->work += count;
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

/* The shorter list is looked up in the longer. */
static bool overlap(struct run *run, struct spans a, struct spans b)
{
	if (a.count > b.count)
		return overlap(run, b, a);
	for (size_t i = 0; i < a.count; i++) {
		run->work++;
		if (spans_overlap(b, a.list[i]))
			return true;
	}
	return false;
}

static struct origin *origin_new(struct run *run, const struct meaning *src)
{
	const struct policy *policy = run->policy;
	if (run->origins_kept > KEPT_MAX) {
		table_free(&run->origins);
		run->origins = table_new();
		arena_reset(run->origins_arena);
		run->origins_kept = 0;
	}
	struct origin *origin = ARENA_NEW(run->origins_arena, struct origin);
	uint32_t *found = x_alloc((policy->source_count + 1) * sizeof *found);
	origin->from = src->any ? addresses_of(run, run->origins_arena, &src->nodes) : src->spans;
	for (size_t i = 0; i < policy->source_count && run->work < WORK_MAX; i++) {
		const struct source *source = policy->sources[i];
		run->work++;
		if (run->first[i] < run->first[i + 1] && (source->everything || overlap(run, origin->from, source->spans)))
			found[origin->source_count++] = (uint32_t)i;
	}
	origin->sources = ARENA_ARRAY(run->origins_arena, uint32_t, origin->source_count);
	if (origin->source_count)
		memcpy(origin->sources, found, origin->source_count * sizeof *found);
	free(found);
	run->origins_kept += origin->source_count + (src->any ? origin->from.count : 0);
	table_put_number(run->origins, (uintptr_t)src, origin);
	return origin;
}

static struct origin *origin_of(struct run *run, const struct alias *alias)
{
	const struct meaning *src = policy_meaning(run->policy, alias);
	struct origin *origin = table_find_number(run->origins, (uintptr_t)src);
	return origin ? origin : origin_new(run, src);
}

static struct spans target_spans(struct run *run, const struct alias *src, struct origin *origin, const struct alias *dst)
{
	struct bitset nodes;
	if (dst->kind != ALIAS_SELF)
		return policy_meaning(run->policy, dst)->spans;
	if (origin->has_self)
		return origin->self;
	bitset_init(&nodes);
	self_nodes(run, policy_meaning(run->policy, src), &nodes);
	origin->self = addresses_of(run, run->origins_arena, &nodes);
	origin->has_self = true;
	run->origins_kept += origin->self.count;
	bitset_clear(&nodes);
	return origin->self;
}

static bool proto_fits(int rule, int asked)
{
	if (rule == PROTO_ABSENT)
		return true;
	if (asked != PROTO_ABSENT)
		return rule == asked;
	return rule == PROTO_TCP || rule == PROTO_UDP || rule == PROTO_ICMP || rule == PROTO_ICMPV6;
}

static bool port_fits(struct run *run, const struct unit_dst *dst, uint16_t port)
{
	for (size_t i = 0; i < dst->port_count; i++) {
		run->work++;
		if (dst->ports[i].first <= port && port <= dst->ports[i].last)
			return true;
	}
	return false;
}

static bool serves(struct run *run, const struct node *node, struct spans spans)
{
	bool found = false;
	struct prefix *routes = x_alloc((node->approved_count + 1) * sizeof *routes);
	size_t count = roll_subnet_routes(node, routes);
	run->work += node->advertised_count * (node->approved_count + 1);
	for (size_t i = 0; !found && i < count; i++)
		found = spans_overlap(spans, span_of(routes[i]));
	free(routes);
	return found;
}

/* A destination of a grant with via is there where one of its routers has a route to it, the Internet where one is an exit node. */
static bool is_steered(struct run *run, const struct unit *unit, const struct unit_dst *dst)
{
	BITSET_EACH(&unit->nodes, slot)
		if (dst->meaning->internet ? bitset_has(&run->policy->exits, slot) : serves(run, node_at(run, slot), dst->meaning->spans))
			return true;
	return false;
}

static bool opens(struct run *run, const struct unit *unit, int proto, uint16_t port, struct spans target)
{
	run->work++;
	for (size_t i = 0; proto_fits(unit->proto, proto) && i < unit->dst_count; i++) {
		const struct unit_dst *dst = &unit->dst[i];
		run->work++;
		if (!port_fits(run, dst, port))
			continue;
		if (dst->meaning->any && !unit->via)
			return true;
		if (overlap(run, target, dst->meaning->spans) && (!unit->via || is_steered(run, unit, dst)))
			return true;
	}
	return false;
}

static bool source_opens(struct run *run, uint32_t source, int proto, uint16_t port, struct spans target)
{
	for (uint32_t i = run->first[source]; i < run->first[source + 1] && run->work < WORK_MAX; i++)
		if (opens(run, &run->policy->units[run->units[i]], proto, port, target))
			return true;
	return false;
}

/* What of `rest` lies outside `cover`, written to the other one of the two arenas. */
static struct spans left_over(struct run *run, struct spans rest, struct spans cover)
{
	struct arena *arena = run->rests[1];
	run->rests[1] = run->rests[0];
	run->rests[0] = arena;
	arena_reset(arena);
	struct span *list = ARENA_ARRAY(arena, struct span, rest.count);
	size_t count = 0;
	run->work += rest.count;
	for (size_t i = 0; i < rest.count; i++) {
		if (spans_covers(cover, rest.list[i]))
			continue;
		if (spans_overlap(cover, rest.list[i])) {
			run->work += cover.count;
			return spans_minus(arena, rest, cover);
		}
		list[count++] = rest.list[i];
	}
	return (struct spans){list, count};
}

/* Whether every address of the source finds a rule. */
static bool is_allowed(struct run *run, const struct origin *origin, int proto, uint16_t port, struct spans target)
{
	struct spans rest = origin->from;
	for (size_t i = 0; i < origin->source_count && run->work < WORK_MAX; i++) {
		const struct source *source = run->policy->sources[origin->sources[i]];
		if (!source_opens(run, origin->sources[i], proto, port, target))
			continue;
		if (source->everything)
			return true;
		rest = left_over(run, rest, source->spans);
		if (!rest.count)
			return true;
	}
	return false;
}

static void judge(struct run *run, const struct test *test, struct origin *origin, const struct test_target *target, bool wanted,
		  struct selftest_failure *failure)
{
	const char *what = wanted ? "accept" : "deny";
	if (target->fault) {
		tell(run, failure, what, target->text, target->fault);
		return;
	}
	struct spans to = target_spans(run, &test->src, origin, &target->alias);
	if (!to.count)
		tell(run, failure, what, target->text, "nothing has such an address");
	else if (is_allowed(run, origin, test->proto, target->port, to) != wanted)
		tell(run, failure, what, target->text, wanted ? "is denied" : "is allowed");
}

static void run_test(struct run *run, const struct test *test)
{
	struct selftest_failure *failure = failure_of(run, test->at, test->src.text);
	run->result->ran++;
	if (test->fault) {
		tell(run, failure, "src", test->src.text, test->fault);
	} else {
		struct origin *origin = origin_of(run, &test->src);
		if (!origin->from.count)
			tell(run, failure, "src", test->src.text, "has no address");
		for (size_t i = 0; origin->from.count && goes_on(run) && i < test->accept_count; i++)
			judge(run, test, origin, &test->accept[i], true, failure);
		for (size_t i = 0; origin->from.count && goes_on(run) && i < test->deny_count; i++)
			judge(run, test, origin, &test->deny[i], false, failure);
	}
	run->result->failure_count += failure->error_count > 0;
}

/* Units of DstPorts by number of their source; those that no node has are left out. */
static void sort_units(struct run *run)
{
	const struct policy *policy = run->policy;
	run->first = x_zalloc((policy->source_count + 2) * sizeof *run->first);
	run->units = x_alloc((policy->unit_count + 1) * sizeof *run->units);
	for (unsigned fill = 0; fill < 2; fill++) {
		for (size_t i = 0; i < policy->unit_count; i++) {
			const struct unit *unit = &policy->units[i];
			bool somewhere = (!unit->via && unit->self_of == UINT32_MAX) || bitset_any(&unit->nodes);
			if (unit->app || !somewhere)
				continue;
			if (fill)
				run->units[run->first[unit->source->number + 1]++] = (uint32_t)i;
			else
				run->first[unit->source->number + 2]++;
		}
		for (size_t i = 2; !fill && i < policy->source_count + 2; i++)
			run->first[i] += run->first[i - 1];
	}
}

static int by_ip(const void *a, const void *b)
{
	return ip_compare(*(const struct ip *)a, *(const struct ip *)b);
}

static const struct sshrules *rules_at(struct run *run, uint32_t slot)
{
	struct sshrules *rules = table_find_number(run->ssh, slot);
	if (rules)
		return rules;
	if (run->ssh_kept > KEPT_MAX) {
		table_free(&run->ssh);
		run->ssh = table_new();
		arena_reset(run->ssh_arena);
		run->ssh_kept = 0;
	}
	rules = ARENA_NEW(run->ssh_arena, struct sshrules);
	*rules = sshrules_of(run->policy, run->ssh_arena, slot);
	run->ssh_kept += rules->count;
	for (size_t i = 0; i < rules->count; i++) {
		struct sshrule *rule = &rules->list[i];
		qsort(rule->principals, rule->principal_count, sizeof *rule->principals, by_ip);
		run->ssh_kept += rule->principal_count;
		run->work += rule->principal_count;
	}
	table_put_number(run->ssh, slot, rules);
	return rules;
}

enum { APPLIES = 1, APPLIES_CHECKED = 2 };

/* An assertion about one login: sources and what the rules are to say to them. */
struct assertion {
	const struct ip *from;
	size_t from_count;
	struct bytes login;
	unsigned mask;
	bool wanted;
};

/* Every source at this node: all must say the same. */
static bool ssh_holds(struct run *run, const struct sshrules *rules, const struct assertion *assertion)
{
	for (size_t k = 0; k < assertion->from_count; k++) {
		const struct ip *from = &assertion->from[k];
		bool found = false;
		for (size_t i = 0; !found && i < rules->count && run->work < WORK_MAX; i++) {
			const struct sshrule *rule = &rules->list[i];
			unsigned says = rule->rule->check ? APPLIES | APPLIES_CHECKED : APPLIES;
			run->work++;
			if (!(says & assertion->mask) || !bsearch(from, rule->principals, rule->principal_count, sizeof *from, by_ip))
				continue;
			run->work += rule->user_count;
			found = sshrule_maps(rule, assertion->login);
		}
		if (found != assertion->wanted)
			return false;
	}
	return true;
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

/* Addresses that stand for the source: those of its nodes; of an address that no node has, the address. */
static size_t ssh_sources(struct run *run, const struct alias *alias, struct arena *arena, struct ip **out)
{
	struct bitset nodes;
	size_t count = 0;
	const struct meaning *src = policy_meaning(run->policy, alias);
	bitset_init(&nodes);
	ssh_nodes(run, src, alias, &nodes);
	*out = ARENA_ARRAY(arena, struct ip, 2 * bitset_population(&nodes) + src->spans.count);
	BITSET_EACH(&nodes, slot) {
		const struct node *node = node_at(run, slot);
		if (node->ip4.family != IP_NONE)
			(*out)[count++] = node->ip4;
		if (node->ip6.family != IP_NONE)
			(*out)[count++] = node->ip6;
	}
	for (size_t i = 0; !bitset_any(&nodes) && i < src->spans.count; i++)
		(*out)[count++] = src->spans.list[i].first;
	run->work += count;
	bitset_clear(&nodes);
	return count;
}

static void ssh_judge(struct run *run, const struct bitset *to, struct assertion *assertion, const struct bytes *logins, size_t count, const char *what,
		      struct selftest_failure *failure)
{
	assertion->mask = *what == 'c' ? APPLIES_CHECKED : APPLIES;
	assertion->wanted = *what != 'd';
	for (size_t i = 0; goes_on(run) && i < count; i++) {
		bool holds = true;
		assertion->login = logins[i];
		for (size_t slot = bitset_next(to, 0); holds && slot != SIZE_MAX; slot = bitset_next(to, slot + 1))
			holds = ssh_holds(run, rules_at(run, (uint32_t)slot), assertion);
		if (!holds)
			tell(run, failure, what, logins[i], assertion->wanted ? "is refused" : "is let in");
	}
}

static void ssh_destinations(struct run *run, const struct ssh_test *test, struct bitset *to, struct selftest_failure *failure)
{
	for (size_t i = 0; goes_on(run) && i < test->dst_count; i++) {
		struct bitset one;
		bitset_init(&one);
		ssh_nodes(run, policy_meaning(run->policy, &test->src), &test->dst[i], &one);
		if (!bitset_any(&one))
			tell(run, failure, "dst", test->dst[i].text, "is no node");
		bitset_or(to, &one);
		bitset_clear(&one);
	}
}

static void run_ssh_test(struct run *run, const struct ssh_test *test)
{
	struct selftest_failure *failure = failure_of(run, test->at, test->src.text);
	run->result->ran++;
	if (test->fault) {
		tell(run, failure, "src", test->src.text, test->fault);
	} else {
		struct bitset to;
		struct ip *from;
		struct arena *arena = run->rests[0];
		arena_reset(arena);
		struct assertion assertion = {.from_count = ssh_sources(run, &test->src, arena, &from)};
		assertion.from = from;
		bitset_init(&to);
		ssh_destinations(run, test, &to, failure);
		if (!assertion.from_count)
			tell(run, failure, "src", test->src.text, "has no address");
		ssh_judge(run, &to, &assertion, test->accept, test->accept_count, "accept", failure);
		ssh_judge(run, &to, &assertion, test->deny, test->deny_count, "deny", failure);
		ssh_judge(run, &to, &assertion, test->check, test->check_count, "check", failure);
		bitset_clear(&to);
	}
	run->result->failure_count += failure->error_count > 0;
}

static void run_all(struct run *run)
{
	const struct document *document = run->policy->document;
	sort_units(run);
	run->origins = table_new();
	run->ssh = table_new();
	run->origins_arena = arena_new();
	run->ssh_arena = arena_new();
	run->rests[0] = arena_new();
	run->rests[1] = arena_new();
	for (size_t i = 0; i < document->test_count && goes_on(run); i++)
		run_test(run, &document->tests[i]);
	for (size_t i = 0; i < document->ssh_test_count && goes_on(run); i++)
		run_ssh_test(run, &document->ssh_tests[i]);
	arena_free(&run->rests[0]);
	arena_free(&run->rests[1]);
	arena_free(&run->ssh_arena);
	arena_free(&run->origins_arena);
	table_free(&run->ssh);
	table_free(&run->origins);
	free(run->units);
	free(run->first);
}

enum err selftest_run(struct policy *policy, struct arena *arena, struct selftest *result, struct diag *why)
{
	const struct document *document = policy->document;
	struct run run = {.policy = policy, .arena = arena, .result = result};
	*result = (struct selftest){.failures = ARENA_ARRAY(arena, struct selftest_failure, document->test_count + document->ssh_test_count + 1)};
	if (document->test_count || document->ssh_test_count)
		run_all(&run);
	if (run.work >= WORK_MAX) {
		result->failure_count = 0;
		return diag_set(why, ERR_TOO_BIG, "the tests of this policy take too long: %zu of %zu ran", result->ran,
				document->test_count + document->ssh_test_count);
	}
	if (!result->failure_count)
		return ERR_NONE;
	enum err e = diag_set(why, ERR_MALFORMED, "test(s) failed");
	if (why)
		why->line = result->failures[0].at.line, why->column = result->failures[0].at.column;
	return e;
}
