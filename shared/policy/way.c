#include "way.h"

#include <stdlib.h>

#include "route.h"

enum { NO_WAY = UINT32_MAX };

static int by_prefix(const void *a, const void *b)
{
	return prefix_compare(*(const struct prefix *)a, *(const struct prefix *)b);
}

static int by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return (x > y) - (x < y);
}

/* First way that is not before `prefix`. */
static size_t lower_bound(const struct ways *ways, struct prefix prefix)
{
	size_t low = 0, high = ways->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (prefix_compare(ways->list[middle], prefix) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static uint32_t find(const struct ways *ways, struct prefix prefix)
{
	size_t at = lower_bound(ways, prefix);
	return at < ways->count && !prefix_compare(ways->list[at], prefix) ? (uint32_t)at : NO_WAY;
}

static bool is_approved(const struct node *node, struct prefix masked)
{
	for (size_t i = 0; i < node->approved_count; i++)
		if (!prefix_compare(prefix_masked(node->routes_approved[i]), masked))
			return true;
	return false;
}

/* Exit routes stand for themselves: one of the two is enough. */
static size_t exit_routes(const struct node *node, struct prefix out[static 2])
{
	size_t count = 0;
	for (size_t i = 0; i < node->advertised_count && count < 2; i++) {
		struct prefix route = prefix_masked(node->routes_advertised[i]);
		if (route_is_exit(route) && is_approved(node, route) && (!count || prefix_compare(out[0], route)))
			out[count++] = route;
	}
	return count;
}

static void note_lengths(struct ways *ways)
{
	bool seen[2][129] = {{false}};
	for (size_t i = 0; i < ways->count; i++)
		seen[ways->list[i].ip.family == IP_V6][ways->list[i].bits] = true;
	for (size_t family = 0; family < 2; family++)
		for (unsigned bits = 0; bits <= 128; bits++)
			if (seen[family][bits])
				ways->lengths[family][ways->length_count[family]++] = (uint8_t)bits;
}

static size_t sort_unique(struct prefix *list, size_t count)
{
	size_t kept = 0;
	if (count)
		qsort(list, count, sizeof *list, by_prefix);
	for (size_t i = 0; i < count; i++)
		if (!kept || prefix_compare(list[kept - 1], list[i]))
			list[kept++] = list[i];
	return kept;
}

/* Numbers of the prefixes that are ways, sorted, unique. */
static struct way_list number(struct arena *arena, const struct ways *ways, const struct prefix *list, size_t count)
{
	struct way_list numbers = {ARENA_ARRAY(arena, uint32_t, count), 0};
	size_t found = 0;
	for (size_t i = 0; i < count; i++) {
		uint32_t way = find(ways, list[i]);
		if (way != NO_WAY)
			numbers.list[found++] = way;
	}
	if (found)
		qsort(numbers.list, found, sizeof *numbers.list, by_number);
	for (size_t i = 0; i < found; i++)
		if (!numbers.count || numbers.list[numbers.count - 1] != numbers.list[i])
			numbers.list[numbers.count++] = numbers.list[i];
	return numbers;
}

static bool serves(struct way_list served, uint32_t way)
{
	return served.count && bsearch(&way, served.list, served.count, sizeof way, by_number);
}

static struct way_list offered(struct arena *arena, const struct ways *ways, const struct node *node, struct way_list served)
{
	struct prefix *primary = ARENA_ARRAY(arena, struct prefix, node->primary_count + 1);
	struct way_list list = {ARENA_ARRAY(arena, uint32_t, served.count), 0};
	for (size_t i = 0; i < node->primary_count; i++)
		primary[i] = prefix_masked(node->routes_primary[i]);
	struct way_list own = number(arena, ways, primary, node->primary_count);
	for (size_t i = 0; i < served.count; i++)
		if (route_is_exit(ways->list[served.list[i]]) || serves(own, served.list[i]))
			list.list[list.count++] = served.list[i];
	return list;
}

static struct prefix *prefixes_of(struct arena *arena, const struct ways *ways, struct way_list list)
{
	struct prefix *prefixes = ARENA_ARRAY(arena, struct prefix, list.count);
	for (size_t i = 0; i < list.count; i++)
		prefixes[i] = ways->list[list.list[i]];
	return prefixes;
}

static void add_router(struct arena *arena, struct ways *ways, const struct node *node, uint32_t slot, struct prefix *room)
{
	size_t count = roll_subnet_routes(node, room);
	count += exit_routes(node, room + count);
	if (!count)
		return;
	struct way_router *router = &ways->routers[ways->router_count++];
	router->slot = slot;
	router->served = number(arena, ways, room, count);
	router->offered = offered(arena, ways, node, router->served);
	router->prefixes = prefixes_of(arena, ways, router->offered);
}

struct ways *ways_new(struct arena *arena, const struct policy *policy)
{
	struct ways *ways = ARENA_NEW(arena, struct ways);
	size_t routers = 0, most = 0;
	ways->list = ARENA_ARRAY(arena, struct prefix, policy->route_count + 2);
	memcpy(ways->list, policy->routes, policy->route_count * sizeof *ways->list);
	ways->list[policy->route_count] = (struct prefix){{.family = IP_V4}, 0};
	ways->list[policy->route_count + 1] = (struct prefix){{.family = IP_V6}, 0};
	ways->count = sort_unique(ways->list, policy->route_count + 2);
	ways->words = (ways->count + 63) / 64;
	note_lengths(ways);
	for (size_t i = 0; i < policy->roll->node_count; i++) {
		const struct node *node = policy->roll->nodes[i].node;
		if (!node || !node->approved_count)
			continue;
		routers++;
		most = node->approved_count > most ? node->approved_count : most;
	}
	ways->routers = ARENA_ARRAY(arena, struct way_router, routers);
	struct prefix *room = ARENA_ARRAY(arena, struct prefix, most + 2);
	for (size_t i = 0; i < policy->roll->node_count; i++)
		if (policy->roll->nodes[i].node && policy->roll->nodes[i].node->approved_count)
			add_router(arena, ways, policy->roll->nodes[i].node, (uint32_t)i, room);
	return ways;
}

const struct way_router *ways_router(const struct ways *ways, uint32_t slot)
{
	size_t low = 0, high = ways->router_count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (ways->routers[middle].slot == slot)
			return &ways->routers[middle];
		if (ways->routers[middle].slot < slot)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

/* First span from `from` on that does not end before `ip`. */
static size_t span_reaching(struct spans spans, size_t from, struct ip ip)
{
	size_t low = from, high = spans.count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (ip_compare(spans.list[middle].last, ip) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void add_containing(const struct ways *ways, struct ip ip, struct bitset *set)
{
	unsigned family = ip.family == IP_V6;
	for (size_t i = 0; i < ways->length_count[family]; i++) {
		uint32_t way = find(ways, prefix_masked((struct prefix){ip, ways->lengths[family][i]}));
		if (way != NO_WAY)
			bitset_add(set, way);
	}
}

/* Ways nest or are disjoint: one that overlaps a span starts in it or contains its first address. */
void ways_overlapping(const struct ways *ways, struct spans spans, struct bitset *set)
{
	size_t way = 0, at = 0;
	while (way < ways->count) {
		struct ip first = ways->list[way].ip;
		at = span_reaching(spans, at, first);
		if (at == spans.count)
			return;
		if (ip_compare(spans.list[at].first, first) <= 0) {
			bitset_add(set, way++);
			continue;
		}
		add_containing(ways, spans.list[at].first, set);
		way = lower_bound(ways, (struct prefix){spans.list[at].first, 0});
	}
}

void ways_all(const struct ways *ways, struct bitset *set)
{
	for (size_t i = 0; i < ways->count; i++)
		bitset_add(set, i);
}
