#include "sightvia.h"

#include <stdlib.h>

#include "route.h"

/* Routes that the destinations of the grant overlap; `internet`: of autogroup:internet alone, or of all others. */
static bool find_overlapping(struct sight_grant *grant, const struct ways *ways, const struct unit *units, size_t count, bool internet)
{
	bool some = false;
	for (size_t i = 0; i < count; i++) {
		for (size_t k = 0; units[i].via && !units[i].companion && k < units[i].dst_count; k++) {
			const struct meaning *meaning = units[i].dst[k].meaning;
			if (meaning->internet != internet)
				continue;
			ways_overlapping(ways, internet ? spans_internet() : meaning->any ? spans_wildcard() : meaning->spans, &grant->steers);
			some = true;
		}
	}
	return some;
}

static void drop(struct sight_grant *grant, const struct ways *ways, bool exits)
{
	for (size_t way = 0; way < ways->count; way++)
		if (route_is_exit(ways->list[way]) == exits)
			bitset_remove(&grant->steers, way);
}

/* Subnet routes that overlap a destination other than the Internet; exit routes for the Internet alone. */
static void find_steered(struct sight_grant *grant, const struct ways *ways, const struct unit *units, size_t count)
{
	bool internet = find_overlapping(grant, ways, units, count, true);
	drop(grant, ways, false);
	find_overlapping(grant, ways, units, count, false);
	if (!internet)
		drop(grant, ways, true);
}

static bool was_first(const struct policy *policy, uint32_t a, uint32_t b)
{
	const struct node *x = policy->roll->nodes[a].node, *y = policy->roll->nodes[b].node;
	return x->created.ns != y->created.ns ? x->created.ns < y->created.ns : x->id < y->id;
}

static int by_way(const void *a, const void *b)
{
	const struct sight_given *x = a, *y = b;
	if (x->way != y->way)
		return x->way < y->way ? -1 : 1;
	return (x->slot > y->slot) - (x->slot < y->slot);
}

/* Of the candidates, sorted by way, those that get it. */
static size_t elect(const struct policy *policy, const struct ways *ways, struct sight_given *list, size_t count)
{
	size_t kept = 0;
	for (size_t i = 0; i < count; i++) {
		if (!kept || list[kept - 1].way != list[i].way || route_is_exit(ways->list[list[i].way]))
			list[kept++] = list[i];
		else if (was_first(policy, list[i].slot, list[kept - 1].slot))
			list[kept - 1] = list[i];
	}
	return kept;
}

void sight_grant_init(struct sight_grant *grant, struct arena *arena, const struct policy *policy, const struct ways *ways, const struct unit *units,
		      size_t count)
{
	struct bitset routers = {0};
	size_t room = 0;
	*grant = (struct sight_grant){0};
	find_steered(grant, ways, units, count);
	for (size_t i = 0; i < count; i++)
		if (units[i].via && !units[i].companion)
			bitset_or(&routers, &units[i].nodes);
	BITSET_EACH(&routers, slot) {
		const struct way_router *router = ways_router(ways, (uint32_t)slot);
		room += router ? router->served.count : 0;
	}
	grant->given = ARENA_ARRAY(arena, struct sight_given, room);
	BITSET_EACH(&routers, slot) {
		const struct way_router *router = ways_router(ways, (uint32_t)slot);
		for (size_t i = 0; router && i < router->served.count; i++)
			if (bitset_has(&grant->steers, router->served.list[i]))
				grant->given[grant->given_count++] = (struct sight_given){(uint32_t)slot, router->served.list[i]};
	}
	bitset_clear(&routers);
	if (grant->given_count)
		qsort(grant->given, grant->given_count, sizeof *grant->given, by_way);
	grant->given_count = elect(policy, ways, grant->given, grant->given_count);
}
