#include "sightgroup.h"

#include <stdlib.h>

#include "resolve.h"
#include "route.h"
#include "sightvia.h"
#include "table.h"

struct builder {
	struct sight_groups *out;
	struct arena *arena;
	const struct policy *policy;
	const struct ways *ways;
	struct table *by_members; /* hash of the set -> group, chained */
	struct table *by_source;  /* number + 1 -> group of source->nodes */
	struct table *by_own;     /* number + 1 -> group of source->own */
	struct table *by_meaning; /* pointer -> set of ways */
	struct table *by_origin;  /* number + 1 -> set of ways that overlap the source */
	struct bitset **way_sets;
	size_t way_set_count, way_set_room, room;
	struct span *spans; /* scratch */
	size_t span_count, span_room;
	bool steered;             /* some rule has via */
	struct sight_group *only; /* of `slot` alone; NULL: all */
	uint32_t slot;
};

static struct bitset *new_way_set(struct builder *b)
{
	if (b->way_set_count == b->way_set_room)
		b->way_sets = x_realloc(b->way_sets, (b->way_set_room = b->way_set_room * 2 + 64) * sizeof *b->way_sets);
	return b->way_sets[b->way_set_count++] = ARENA_NEW(b->arena, struct bitset);
}

/* NULL: the one node asked for is not in it. */
static struct sight_group *group_of(struct builder *b, const struct bitset *members, bool keep)
{
	if (b->only)
		return bitset_has(members, b->slot) ? b->only : NULL;
	uint64_t hash = bitset_hash(members);
	struct sight_group *first = table_find_number(b->by_members, hash), *group = first;
	while (group && !bitset_equal(group->members, members))
		group = group->next;
	if (group)
		return group;
	group = ARENA_NEW(b->arena, struct sight_group);
	group->members = members;
	if (keep) {
		bitset_copy(&group->own_members, members);
		group->members = &group->own_members;
	}
	group->next = first;
	table_put_number(b->by_members, hash, group);
	if (b->out->count == b->room)
		b->out->list = x_realloc(b->out->list, (b->room = b->room * 2 + 64) * sizeof *b->out->list);
	return b->out->list[b->out->count++] = group;
}

static void add_sees(struct sight_group *group, const struct bitset *nodes)
{
	if (!group->sees) {
		group->sees = nodes;
		return;
	}
	if (group->sees != &group->own_sees) {
		if (bitset_equal(group->sees, nodes))
			return;
		bitset_copy(&group->own_sees, group->sees);
		group->sees = &group->own_sees;
	}
	bitset_or(&group->own_sees, nodes);
}

static struct sight_group *source_group(struct builder *b, struct table *known, const struct source *source, const struct bitset *members)
{
	struct sight_group *group = table_find_number(known, source->number);
	if (group)
		return group;
	group = group_of(b, members, false);
	if (group)
		table_put_number(known, source->number, group);
	return group;
}

/* Ways that overlap the source addresses. */
static const struct bitset *origin_ways(struct builder *b, const struct source *source)
{
	struct bitset *set = table_find_number(b->by_origin, source->number);
	if (set)
		return set;
	set = new_way_set(b);
	if (source->everything)
		ways_all(b->ways, set);
	else
		ways_overlapping(b->ways, source->spans, set);
	table_put_number(b->by_origin, source->number, set);
	return set;
}

static const struct bitset *meaning_ways(struct builder *b, const struct meaning *meaning)
{
	struct bitset *set = table_find_number(b->by_meaning, (uintptr_t)meaning);
	if (set)
		return set;
	set = new_way_set(b);
	ways_overlapping(b->ways, meaning->internet ? spans_internet() : meaning->spans, set);
	table_put_number(b->by_meaning, (uintptr_t)meaning, set);
	return set;
}

/* As the policy stands: the rows of nodes that are still to be followed are others already, or gone. */
static void add_span(struct builder *b, uint32_t address)
{
	if (address == ADDRESS_NONE)
		return;
	if (b->span_count == b->span_room)
		b->spans = x_realloc(b->spans, (b->span_room = b->span_room * 2 + 64) * sizeof *b->spans);
	b->spans[b->span_count++] = span_of(ip_prefix(b->policy->resolver->addresses[address].ip));
}

static void add_self_ways(struct builder *b, const struct unit *unit, struct bitset *set)
{
	b->span_count = 0;
	BITSET_EACH(&unit->nodes, slot) {
		add_span(b, b->policy->resolver->entry[slot * 2]);
		add_span(b, b->policy->resolver->entry[slot * 2 + 1]);
	}
	ways_overlapping(b->ways, spans_of(b->spans, b->span_count), set);
}

/* Ways that overlap the destinations. Of * every one; but as destination of an app it is tailnet addresses, and no way counts. */
static void add_target_ways(struct builder *b, const struct unit *unit, struct bitset *set)
{
	if (unit->self_of != UINT32_MAX) {
		add_self_ways(b, unit, set);
		return;
	}
	for (size_t i = 0; i < unit->dst_count; i++) {
		const struct meaning *meaning = unit->dst[i].meaning;
		if (!meaning->any)
			bitset_or(set, meaning_ways(b, meaning));
		else if (!unit->app)
			ways_all(b->ways, set);
	}
}

/* Either side may be without nodes: an exit route overlaps addresses that nobody has. */
static void add_routes(struct builder *b, const struct unit *unit, struct sight_group *from, struct sight_group *to)
{
	struct bitset ways = {0};
	if (from) {
		add_target_ways(b, unit, &ways);
		bitset_or(&from->shows, &ways);
		struct sight_group *own = b->steered && bitset_any(&unit->source->own) ? source_group(b, b->by_own, unit->source, &unit->source->own) : NULL;
		if (own)
			bitset_or(&own->covers, &ways);
	}
	if (to)
		bitset_or(&to->shows, origin_ways(b, unit->source));
	bitset_clear(&ways);
}

static void add_unit(struct builder *b, const struct unit *unit)
{
	const struct source *source = unit->source;
	struct bitset reached = {0};
	const struct bitset *targets = &unit->nodes;
	if (unit->covers_internet && !unit->via) {
		bitset_copy(&reached, targets);
		bitset_or(&reached, &b->policy->exits);
		targets = &reached;
	}
	struct sight_group *from = bitset_any(&source->nodes) ? source_group(b, b->by_source, source, &source->nodes) : NULL;
	struct sight_group *to = bitset_any(targets) ? group_of(b, targets, targets == &reached) : NULL;
	if (from && to && targets == &reached && !b->only)
		add_sees(from, to->members);
	else if (from && targets == &reached)
		bitset_or(&from->own_sees, &reached);
	else if (from && bitset_any(targets))
		add_sees(from, targets);
	if (to && bitset_any(&source->nodes))
		add_sees(to, &source->nodes);
	if (!unit->via)
		add_routes(b, unit, from, to);
	bitset_clear(&reached);
}

/* A router sees who is primary for a route that it serves too. */
static void add_standbys(struct builder *b)
{
	struct bitset *servers = x_zalloc((b->ways->count + 1) * sizeof *servers);
	for (size_t i = 0; i < b->ways->router_count; i++) {
		const struct way_router *router = &b->ways->routers[i];
		for (size_t k = 0; k < router->served.count; k++)
			if (!route_is_exit(b->ways->list[router->served.list[k]]))
				bitset_add(&servers[router->served.list[k]], router->slot);
	}
	for (size_t way = 0; way < b->ways->count; way++) {
		struct sight_group *group = bitset_population(&servers[way]) > 1 ? group_of(b, &servers[way], true) : NULL;
		if (group)
			bitset_add(&group->shows, way);
		bitset_clear(&servers[way]);
	}
	free(servers);
}

static void add_grants(struct builder *b)
{
	const struct policy *policy = b->policy;
	size_t count = 0;
	for (size_t i = 0; i < policy->unit_count; i++)
		count += policy->units[i].via;
	b->out->grants = ARENA_ARRAY(b->arena, struct sight_grant, count);
	for (size_t i = 0; i < policy->unit_count; i++) {
		const struct unit *unit = &policy->units[i];
		if (!unit->via || unit->companion)
			continue;
		size_t last = i + 1;
		while (last < policy->unit_count && policy->units[last].rule == unit->rule)
			last++;
		struct sight_grant *grant = &b->out->grants[b->out->grant_count];
		sight_grant_init(grant, b->arena, policy, b->ways, unit, last - i);
		struct sight_group *group =
			bitset_any(&grant->steers) && bitset_any(&unit->source->own) ? source_group(b, b->by_own, unit->source, &unit->source->own) : NULL;
		if (group)
			bitset_add(&group->grants, b->out->grant_count++);
		else
			bitset_clear(&grant->steers);
		i = last - 1;
	}
}

static void bound(struct sight_group *group)
{
	size_t high = group->sees ? group->sees->count : 0, low = 0;
	while (high && !group->sees->words[high - 1])
		high--;
	while (low < high && !group->sees->words[low])
		low++;
	group->low = low;
	group->high = high;
}

static void build(struct sight_groups *groups, struct builder b)
{
	const struct policy *policy = b.policy;
	struct table **tables[] = {&b.by_members, &b.by_source, &b.by_own, &b.by_meaning, &b.by_origin};
	for (size_t i = 0; i < COUNT_OF(tables); i++)
		*tables[i] = table_new();
	for (size_t i = 0; i < policy->unit_count; i++)
		b.steered |= policy->units[i].via;
	for (size_t i = 0; i < policy->unit_count; i++)
		add_unit(&b, &policy->units[i]);
	add_standbys(&b);
	if (b.steered)
		add_grants(&b);
	for (size_t i = 0; i < groups->count; i++)
		bound(groups->list[i]);
	for (size_t i = 0; i < b.way_set_count; i++)
		bitset_clear(b.way_sets[i]);
	free(b.way_sets);
	free(b.spans);
	for (size_t i = 0; i < COUNT_OF(tables); i++)
		table_free(tables[i]);
}

void sight_groups_init(struct sight_groups *groups, struct arena *arena, const struct policy *policy, const struct ways *ways)
{
	*groups = (struct sight_groups){0};
	build(groups, (struct builder){.out = groups, .arena = arena, .policy = policy, .ways = ways});
}

void sight_groups_of(struct sight_groups *groups, struct arena *arena, const struct policy *policy, const struct ways *ways, uint32_t slot)
{
	struct sight_group *only = ARENA_NEW(arena, struct sight_group);
	*groups = (struct sight_groups){.list = x_alloc(sizeof(struct sight_group *)), .count = 1};
	groups->list[0] = only;
	only->sees = &only->own_sees;
	build(groups, (struct builder){.out = groups, .arena = arena, .policy = policy, .ways = ways, .only = only, .slot = slot});
}

void sight_groups_clear(struct sight_groups *groups)
{
	for (size_t i = 0; i < groups->count; i++) {
		struct sight_group *group = groups->list[i];
		bitset_clear(&group->own_sees);
		bitset_clear(&group->own_members);
		bitset_clear(&group->shows);
		bitset_clear(&group->covers);
		bitset_clear(&group->grants);
	}
	for (size_t i = 0; i < groups->grant_count; i++)
		bitset_clear(&groups->grants[i].steers);
	free(groups->list);
	*groups = (struct sight_groups){0};
}
