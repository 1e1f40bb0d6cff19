#include "sshplan.h"

#include <stdlib.h>

#include "resolve.h"
#include "table.h"
#include "twin.h"

/* Sources that a plan keeps, of all rules together. */
enum { KEPT_MAX = 4 << 20 };

struct link {
	uint32_t number;
	struct link *next;
};

/* An alias that rules name, and the places of those rules in the plan. */
struct listed {
	const struct meaning *meaning;
	struct link *rules;
};

struct listing {
	struct table *numbers; /* of a meaning: its place in the list + 1 */
	struct listed *list;
	size_t count, room;
};

struct ssh_plan {
	struct ssh_entry *entries; /* checks, then accepts */
	size_t count;
	struct listed *dst, *src; /* src: of localpart rules */
	size_t dst_count, src_count;
	struct link **dst_of; /* per slot: numbers in dst */
	struct link *self;    /* rules to autogroup:self */
	size_t kept;
};

static void add_link(struct arena *arena, struct link **chain, uint32_t number)
{
	struct link *link = ARENA_NEW(arena, struct link);
	*link = (struct link){number, *chain};
	*chain = link;
}

static void list_aliases(struct policy *policy, struct listing *listing, const struct aliases *aliases, uint32_t rule)
{
	for (size_t i = 0; i < aliases->count; i++) {
		const struct meaning *meaning = policy_meaning(policy, &aliases->list[i]);
		size_t at = (uintptr_t)table_find_number(listing->numbers, (uintptr_t)meaning);
		if (!at) {
			if (listing->count == listing->room)
				listing->list = x_realloc(listing->list, (listing->room = listing->room * 2 + 16) * sizeof *listing->list);
			at = ++listing->count;
			listing->list[at - 1] = (struct listed){.meaning = meaning};
			table_put_number(listing->numbers, (uintptr_t)meaning, (void *)(uintptr_t)at);
		}
		struct link **rules = &listing->list[at - 1].rules;
		if (!*rules || (*rules)->number != rule)
			add_link(policy->arena, rules, rule);
	}
}

static struct listed *listing_end(struct listing *listing, struct arena *arena)
{
	struct listed *list = ARENA_ARRAY(arena, struct listed, listing->count);
	if (listing->count)
		memcpy(list, listing->list, listing->count * sizeof *list);
	free(listing->list);
	table_free(&listing->numbers);
	return list;
}

static void add_user(struct table *seen, struct ssh_entry *entry, struct bytes login, struct bytes local)
{
	if (!table_put(seen, login, entry))
		entry->users[entry->user_count++] = (struct sshrule_user){login, local};
}

static void add_domain(struct ssh_entry *entry, struct bytes domain)
{
	for (size_t i = 0; i < entry->domain_count; i++)
		if (bytes_equal(entry->domains[i], domain))
			return;
	entry->domains[entry->domain_count++] = domain;
}

static void entry_init(struct ssh_entry *entry, struct arena *arena, const struct ssh_rule *rule)
{
	bool root = false, nonroot = false;
	size_t domains = 0;
	*entry = (struct ssh_entry){.rule = rule, .users = ARENA_ARRAY(arena, struct sshrule_user, rule->user_count + 2)};
	for (size_t i = 0; i < rule->user_count; i++) {
		root |= rule->users[i].kind == SSH_USER_ROOT;
		nonroot |= rule->users[i].kind == SSH_USER_NONROOT;
		domains += rule->users[i].kind == SSH_USER_LOCALPART;
	}
	entry->domains = ARENA_ARRAY(arena, struct bytes, domains);
	struct table *seen = table_new();
	add_user(seen, entry, BYTES("root"), root ? BYTES("root") : BYTES(""));
	if (nonroot)
		add_user(seen, entry, BYTES("*"), BYTES("="));
	for (size_t i = 0; i < rule->user_count; i++) {
		if (rule->users[i].kind == SSH_USER_NAME)
			add_user(seen, entry, rule->users[i].text, rule->users[i].text);
		else if (rule->users[i].kind == SSH_USER_LOCALPART)
			add_domain(entry, rule->users[i].text);
	}
	table_free(&seen);
}

/* While a changed roll is followed none must be new. */
static void know_all(struct policy *policy, const struct aliases *aliases)
{
	for (size_t i = 0; i < aliases->count; i++)
		(void)policy_meaning(policy, &aliases->list[i]);
}

static struct ssh_plan *plan_new(struct policy *policy)
{
	const struct document *document = policy->document;
	struct ssh_plan *plan = ARENA_NEW(policy->arena, struct ssh_plan);
	struct listing dst = {.numbers = table_new()}, src = {.numbers = table_new()};
	plan->entries = ARENA_ARRAY(policy->arena, struct ssh_entry, document->ssh_count);
	for (unsigned check = 2; check-- > 0;)
		for (size_t i = 0; i < document->ssh_count; i++) {
			const struct ssh_rule *rule = &document->ssh[i];
			uint32_t number = (uint32_t)plan->count;
			if (rule->check != check)
				continue;
			struct ssh_entry *entry = &plan->entries[plan->count++];
			entry_init(entry, policy->arena, rule);
			know_all(policy, &rule->src);
			know_all(policy, &rule->recorders);
			list_aliases(policy, &dst, &rule->dst, number);
			if (entry->domain_count)
				list_aliases(policy, &src, &rule->src, number);
			for (size_t k = 0; k < rule->dst.count; k++)
				if (rule->dst.list[k].kind == ALIAS_SELF && (!plan->self || plan->self->number != number))
					add_link(policy->arena, &plan->self, number);
		}
	plan->dst_count = dst.count;
	plan->src_count = src.count;
	plan->dst = listing_end(&dst, policy->arena);
	plan->src = listing_end(&src, policy->arena);
	plan->dst_of = ARENA_ARRAY(policy->arena, struct link *, policy->resolver->slots);
	for (size_t i = 0; i < plan->dst_count; i++)
		BITSET_EACH(&plan->dst[i].meaning->nodes, slot)
			add_link(policy->arena, &plan->dst_of[slot], (uint32_t)i);
	return plan;
}

struct ssh_plan *ssh_plan_of(struct policy *policy)
{
	if (!policy->ssh_plan)
		policy->ssh_plan = plan_new(policy);
	return policy->ssh_plan;
}

/* A rule and a right in one number: sorted, they come in the order of the plan and by the rights in it. */
struct gathered {
	uint64_t *list;
	size_t count, room;
};

static void gather(struct gathered *out, const struct link *rules, enum ssh_right right)
{
	for (; rules; rules = rules->next) {
		if (out->count == out->room)
			out->list = x_realloc(out->list, (out->room = out->room * 2 + 16) * sizeof *out->list);
		out->list[out->count++] = (uint64_t)rules->number << 2 | right;
	}
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return (x > y) - (x < y);
}

size_t ssh_plan_due(struct ssh_plan *plan, struct policy *policy, struct arena *arena, uint32_t slot, struct ssh_due **due)
{
	struct gathered all = {0};
	size_t count = 0;
	const struct node *node = policy->roll->nodes[slot].node;
	for (const struct link *link = node ? plan->dst_of[slot] : NULL; link; link = link->next)
		gather(&all, plan->dst[link->number].rules, SSH_DESTINATION);
	if (node && !node_is_tagged(node))
		gather(&all, plan->self, SSH_SELF);
	for (size_t i = 0; node && i < plan->src_count; i++)
		if (bitset_has(&plan->src[i].meaning->nodes, slot))
			gather(&all, plan->src[i].rules, SSH_LOCALPART_SOURCE);
	if (all.count)
		qsort(all.list, all.count, sizeof *all.list, by_value);
	*due = ARENA_ARRAY(arena, struct ssh_due, all.count);
	for (size_t i = 0; i < all.count; i++)
		if (!i || all.list[i] >> 2 != all.list[i - 1] >> 2)
			(*due)[count++] = (struct ssh_due){&plan->entries[all.list[i] >> 2], (enum ssh_right)(all.list[i] & 3)};
	free(all.list);
	return count;
}

static int by_owner(const void *a, const void *b)
{
	const struct ssh_source *x = a, *y = b;
	return x->owner != y->owner ? (x->owner > y->owner) - (x->owner < y->owner) : (x->slot > y->slot) - (x->slot < y->slot);
}

struct ssh_sources ssh_plan_sources(struct ssh_plan *plan, struct policy *policy, struct arena *arena, struct ssh_entry *entry)
{
	struct bitset nodes;
	bool tagged = false;
	size_t most = 0;
	struct ssh_sources sources = {0};
	if (entry->sourced)
		return entry->sources;
	bitset_init(&nodes);
	for (size_t i = 0; i < entry->rule->src.count; i++) {
		bitset_or(&nodes, &policy_meaning(policy, &entry->rule->src.list[i])->nodes);
		tagged |= entry->rule->src.list[i].kind == ALIAS_TAGGED;
	}
	BITSET_EACH(&nodes, slot)
		most += tagged ? policy->roll->nodes[slot].node->tag_count + 1 : 1;
	entry->sourced = most <= KEPT_MAX - plan->kept;
	entry->kept = entry->sourced ? most : 0;
	plan->kept += entry->kept;
	sources.list = entry->sourced ? x_alloc((most + 1) * sizeof *sources.list) : ARENA_ARRAY(arena, struct ssh_source, most);
	BITSET_EACH(&nodes, slot) {
		const struct node *node = policy->roll->nodes[slot].node;
		for (size_t times = node_is_tagged(node) && tagged ? node->tag_count : 1; times--;)
			sources.list[sources.count++] = (struct ssh_source){node_is_tagged(node) ? SSH_TAGGED : node->user, (uint32_t)slot};
	}
	bitset_clear(&nodes);
	if (sources.count)
		qsort(sources.list, sources.count, sizeof *sources.list, by_owner);
	if (entry->sourced)
		entry->sources = sources;
	return sources;
}

static void forget_sources(struct ssh_plan *plan, struct ssh_entry *entry)
{
	if (entry->sourced)
		free(entry->sources.list);
	plan->kept -= entry->kept;
	entry->sources = (struct ssh_sources){0};
	entry->kept = 0;
	entry->sourced = false;
}

void ssh_plan_clear(struct ssh_plan *plan)
{
	for (size_t i = 0; plan && i < plan->count; i++)
		forget_sources(plan, &plan->entries[i]);
}

static bool names(struct policy *policy, const struct aliases *aliases, uint32_t slot)
{
	for (size_t i = 0; i < aliases->count; i++)
		if (bitset_has(&policy_meaning(policy, &aliases->list[i])->nodes, slot))
			return true;
	return false;
}

static bool any_of(const struct link *rules, const struct bitset *entries)
{
	for (; rules; rules = rules->next)
		if (bitset_has(entries, rules->number))
			return true;
	return false;
}

/* Nodes of one owner get rules from each other. */
static void add_siblings(const struct resolver *r, uint32_t slot, struct bitset *out)
{
	for (size_t i = 0; i < r->policy->roll->node_count; i++)
		if (r->owner[i] == r->owner[slot] && r->owner[i] != NO_OWNER)
			bitset_add(out, i);
}

void ssh_plan_touch(struct policy *policy, uint32_t slot, struct bitset *touched)
{
	struct ssh_plan *plan = policy->ssh_plan;
	struct bitset entries = {0};
	bool own;
	if (!plan)
		return;
	for (size_t i = 0; i < plan->count; i++) {
		struct ssh_entry *entry = &plan->entries[i];
		if (names(policy, &entry->rule->src, slot)) {
			forget_sources(plan, entry);
			bitset_add(&entries, i);
		}
		if (names(policy, &entry->rule->recorders, slot))
			bitset_or(touched, &policy->resolver->all);
	}
	if (!bitset_any(&entries))
		return;
	for (size_t i = 0; i < plan->dst_count; i++)
		if (any_of(plan->dst[i].rules, &entries))
			bitset_or(touched, &plan->dst[i].meaning->nodes);
	own = any_of(plan->self, &entries);
	for (size_t i = 0; i < plan->src_count; i++)
		own = own || any_of(plan->src[i].rules, &entries);
	if (own)
		add_siblings(policy->resolver, slot, touched);
	bitset_clear(&entries);
}

void ssh_plan_stand_as(struct policy *policy, uint32_t slot, uint32_t twin)
{
	if (policy->ssh_plan)
		policy->ssh_plan->dst_of[slot] = twin == NO_TWIN ? NULL : policy->ssh_plan->dst_of[twin];
}

void ssh_plan_move(struct policy *policy, uint32_t slot)
{
	struct ssh_plan *plan = policy->ssh_plan;
	if (!plan)
		return;
	plan->dst_of[slot] = NULL;
	for (size_t i = 0; i < plan->dst_count; i++)
		if (bitset_has(&plan->dst[i].meaning->nodes, slot))
			add_link(policy->arena, &plan->dst_of[slot], (uint32_t)i);
}
