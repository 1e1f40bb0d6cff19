#include "attrs.h"

#include <stdlib.h>

#include "aliasnode.h"
#include "resolve.h"
#include "sightgroup.h"
#include "twin.h"

struct gather {
	struct arena *arena;
	struct attr *list;
	size_t count, room;
};

static void add(struct gather *g, struct bytes name, struct bytes values)
{
	if (g->count == g->room) {
		struct attr *list = ARENA_ARRAY(g->arena, struct attr, g->room * 2 + 16);
		if (g->count)
			memcpy(list, g->list, g->count * sizeof *list);
		g->list = list;
		g->room = g->room * 2 + 16;
	}
	g->list[g->count++] = (struct attr){name, values};
}

/* Nodes that are targets of the same entries are one class; its entries are found once. */
struct entry_list {
	uint32_t *list;
	size_t count;
	bool known;
};

struct attr_classes {
	uint32_t *of; /* by slot */
	struct entry_list *lists;
	struct bitset *targets; /* per entry of the document */
};

static bool gives(const struct node_attr *entry)
{
	return entry->attr_count + entry->app_count > 0;
}

static const struct bitset *named_by(struct policy *policy, const struct alias *alias)
{
	const struct meaning *meaning = policy_meaning(policy, alias);
	return meaning->any ? &policy->resolver->all : &known_from(meaning)->own;
}

/* Borrowed where one target is all there is. */
static struct bitset targets_of(struct policy *policy, const struct node_attr *entry)
{
	if (!gives(entry) || !entry->targets.count)
		return (struct bitset){0};
	if (entry->targets.count == 1)
		return *named_by(policy, entry->targets.list);
	struct bitset set = set_new(policy->resolver);
	for (size_t i = 0; i < entry->targets.count; i++) {
		const struct bitset *named = named_by(policy, &entry->targets.list[i]);
		for (size_t k = 0; k < set.count; k++)
			set.words[k] |= bitset_word(named, k);
	}
	return set;
}

static struct attr_classes *classify(struct policy *policy)
{
	const struct document *document = policy->document;
	size_t count = document->node_attr_count;
	struct attr_classes *classes = ARENA_NEW(policy->arena, struct attr_classes);
	struct sight_group *groups = x_zalloc((count + 1) * sizeof *groups);
	struct sight_groups all = {.list = x_alloc((count + 1) * sizeof(struct sight_group *)), .count = count};
	classes->targets = ARENA_ARRAY(policy->arena, struct bitset, count);
	classes->of = ARENA_ARRAY(policy->arena, uint32_t, policy->resolver->slots);
	for (size_t i = 0; i < count; i++) {
		classes->targets[i] = targets_of(policy, &document->node_attrs[i]);
		groups[i].members = &classes->targets[i];
		all.list[i] = &groups[i];
	}
	classes->lists = ARENA_ARRAY(policy->arena, struct entry_list, sight_classes(&all, policy->roll, classes->of));
	free(all.list);
	free(groups);
	return classes;
}

/* Classes are found again when somebody asks. */
void attrs_move(struct policy *policy)
{
	policy->attr_classes = NULL;
}

void attrs_stand_as(struct policy *policy, uint32_t slot, uint32_t twin)
{
	if (policy->attr_classes)
		policy->attr_classes->of[slot] = twin == NO_TWIN ? UINT32_MAX : policy->attr_classes->of[twin];
}

static const struct entry_list *entries_of(struct policy *policy, uint32_t slot)
{
	if (!policy->attr_classes)
		policy->attr_classes = classify(policy);
	struct attr_classes *classes = policy->attr_classes;
	struct entry_list *entries = &classes->lists[classes->of[slot]];
	if (entries->known)
		return entries;
	entries->known = true;
	for (size_t i = 0; i < policy->document->node_attr_count; i++)
		entries->count += bitset_has(&classes->targets[i], slot);
	entries->list = ARENA_ARRAY(policy->arena, uint32_t, entries->count);
	entries->count = 0;
	for (size_t i = 0; i < policy->document->node_attr_count; i++)
		if (bitset_has(&classes->targets[i], slot))
			entries->list[entries->count++] = (uint32_t)i;
	return entries;
}

static void add_entry(struct gather *g, const struct node_attr *entry)
{
	for (size_t i = 0; i < entry->attr_count; i++)
		add(g, entry->attrs[i], BYTES_NONE);
	for (size_t i = 0; i < entry->app_count; i++)
		add(g, entry->app[i].name, bytes_equal_text(entry->app[i].values, "null") ? BYTES_NONE : entry->app[i].values);
}

static bool runs_macos(const struct roll_node *node)
{
	for (size_t i = 0; i < node->fact_count; i++)
		if (bytes_equal_text(node->facts[i].name, "node:os"))
			return bytes_equal_text(node->facts[i].value, "macos");
	return false;
}

static void add_switches(struct gather *g, const struct policy *policy, const struct roll_node *node)
{
	const struct document *document = policy->document;
	if (document->randomize_client_port)
		add(g, BYTES("randomize-client-port"), BYTES_NONE);
	if (document->disable_ipv4)
		add(g, BYTES("disable-ipv4"), BYTES_NONE);
	if (bytes_equal_text(document->one_cgnat_route, "mac-always") && runs_macos(node))
		add(g, BYTES("one-cgnat?v=true"), BYTES_NONE);
	if (bytes_equal_text(document->one_cgnat_route, "mac-never") && runs_macos(node))
		add(g, BYTES("one-cgnat?v=false"), BYTES_NONE);
	const struct roll_user *user = node_is_tagged(node->node) ? NULL : roll_user(policy->roll, node->node->user);
	if (user && user->roles & (ROLE_ADMIN | ROLE_OWNER))
		add(g, BYTES("https://tailscale.com/cap/is-admin"), BYTES_NONE);
	if (user && user->roles & ROLE_OWNER)
		add(g, BYTES("https://tailscale.com/cap/is-owner"), BYTES_NONE);
}

static bool has(const struct gather *g, const char *name)
{
	for (size_t i = 0; i < g->count; i++)
		if (bytes_equal_text(g->list[i].name, name))
			return true;
	return false;
}

/* By name; entries of one name stay in the order of the document. */
static int by_name(const void *a, const void *b)
{
	const struct attr *x = *(struct attr *const *)a, *y = *(struct attr *const *)b;
	int order = bytes_compare(x->name, y->name);
	return order ? order : (x > y) - (x < y);
}

/* Lists of `count` entries of one name, as one list. */
static struct bytes join(struct arena *arena, struct attr *const *same, size_t count)
{
	size_t len = 2, filled = 0, at = 1;
	const struct attr *only = same[0];
	for (size_t i = 0; i < count; i++) {
		if (same[i]->values.len <= 2)
			continue;
		len += same[i]->values.len;
		filled++;
		only = same[i];
	}
	if (filled < 2)
		return only->values;
	uint8_t *joined = arena_alloc(arena, len);
	joined[0] = '[';
	for (size_t i = 0; i < count; i++) {
		if (same[i]->values.len <= 2)
			continue;
		memcpy(joined + at, same[i]->values.at + 1, same[i]->values.len - 2);
		at += same[i]->values.len - 2;
		joined[at++] = ',';
	}
	joined[at - 1] = ']';
	return bytes_of(joined, at);
}

static void sort_unique(struct gather *g, struct attrs *out)
{
	struct attr **order = x_alloc((g->count + 1) * sizeof(struct attr *));
	for (size_t i = 0; i < g->count; i++)
		order[i] = &g->list[i];
	if (g->count)
		qsort(order, g->count, sizeof *order, by_name);
	out->list = ARENA_ARRAY(g->arena, struct attr, g->count);
	for (size_t i = 0, next; i < g->count; i = next) {
		for (next = i + 1; next < g->count && bytes_equal(order[next]->name, order[i]->name);)
			next++;
		out->list[out->count++] = (struct attr){order[i]->name, join(g->arena, order + i, next - i)};
	}
	free(order);
}

struct attrs attrs_of(struct policy *policy, struct arena *arena, uint32_t slot, bool https)
{
	struct attrs attrs = {0};
	struct gather g = {.arena = arena};
	const struct document *document = policy->document;
	const struct roll_node *node = slot < policy->roll->node_count ? &policy->roll->nodes[slot] : NULL;
	if (!node || !node->node)
		return attrs;
	const struct entry_list *entries = entries_of(policy, slot);
	for (size_t i = 0; i < entries->count; i++)
		add_entry(&g, &document->node_attrs[entries->list[i]]);
	add_switches(&g, policy, node);
	if (has(&g, "funnel")) {
		add(&g, BYTES("https://tailscale.com/cap/funnel-ports?ports=443,8443,10000"), BYTES_NONE);
		if (!https)
			add(&g, BYTES("https://tailscale.com/cap/warn-funnel-no-https"), BYTES_NONE);
	}
	attrs.disable_ipv4 = has(&g, "disable-ipv4");
	sort_unique(&g, &attrs);
	return attrs;
}

size_t attrs_pools(const struct document *document, const struct roll *roll, const struct node *node, const struct prefix **pools)
{
	for (size_t i = 0; i < document->node_attr_count; i++) {
		const struct node_attr *entry = &document->node_attrs[i];
		for (size_t k = 0; entry->pool_count && k < entry->targets.count; k++) {
			if (!alias_names(document, roll, &entry->targets.list[k], node))
				continue;
			*pools = entry->pools;
			return entry->pool_count;
		}
	}
	*pools = NULL;
	return 0;
}
