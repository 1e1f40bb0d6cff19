#include "narrow.h"

#include <stdlib.h>

void narrow_init(struct narrow *n, struct resolver *r, uint32_t slot, bool all)
{
	const struct node *node = r->policy->roll->nodes[slot].node;
	*n = (struct narrow){.r = r, .slot = slot, .all = all, .is_exit = bitset_has(&r->policy->exits, slot)};
	for (size_t i = 0; i < 2; i++) {
		uint32_t address = r->entry[slot * 2 + i];
		if (address != ADDRESS_NONE)
			n->own[n->own_count++] = (struct span){r->addresses[address].ip, r->addresses[address].ip};
	}
	if (!bitset_has(&r->routing, slot))
		return;
	struct prefix *routes = x_alloc(node->approved_count * sizeof *routes);
	n->route_count = roll_subnet_routes(node, routes);
	n->routes = x_alloc(n->route_count * sizeof *n->routes);
	for (size_t i = 0; i < n->route_count; i++)
		n->routes[i] = span_of(routes[i]);
	free(routes);
}

void narrow_clear(struct narrow *n)
{
	free(n->routes);
	free(n->kept);
	free(n->prefixes);
}

static void keep(struct narrow *n, uint32_t number)
{
	if (n->count == n->room) {
		n->room = n->room ? n->room * 2 : 16;
		n->kept = x_realloc(n->kept, n->room * sizeof *n->kept);
	}
	n->kept[n->count++] = number;
}

static int by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return (x > y) - (x < y);
}

static void sort_kept(struct narrow *n)
{
	size_t kept = 0;
	if (n->count > 1)
		qsort(n->kept, n->count, sizeof *n->kept, by_number);
	for (size_t i = 0; i < n->count; i++)
		if (!kept || n->kept[kept - 1] != n->kept[i])
			n->kept[kept++] = n->kept[i];
	n->count = kept;
}

static void keep_slot(struct narrow *n, size_t slot)
{
	for (size_t i = 0; i < 2; i++)
		if (n->r->entry[slot * 2 + i] != ADDRESS_NONE)
			keep(n, n->r->entry[slot * 2 + i]);
}

static void keep_nodes(struct narrow *n, const struct bitset *nodes, bool via)
{
	const struct resolver *r = n->r;
	if (n->all && !via) {
		BITSET_EACH(nodes, slot) {
			keep_slot(n, slot);
		}
	} else if (!via && bitset_has(nodes, n->slot)) {
		keep_slot(n, n->slot);
	}
	for (size_t i = 0; r->any_behind && i < n->route_count; i++)
		for (size_t at = address_from(r, n->routes[i].first); at < r->address_count && ip_compare(r->addresses[at].ip, n->routes[i].last) <= 0; at++)
			if (bitset_has(nodes, r->addresses[at].slot))
				keep(n, (uint32_t)at);
	sort_kept(n);
}

static struct span span_at(const struct known *known, size_t at)
{
	return known->meaning.internet ? known->meaning.spans.list[at] : span_of(known->prefixes[at]);
}

static void keep_overlapping(struct narrow *n, const struct known *known, struct span span)
{
	size_t low = 0, high = known->count;
	while (low < high) { /* the first that ends at span.first or later */
		size_t middle = low + (high - low) / 2;
		if (ip_compare(span_at(known, middle).last, span.first) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < known->count && ip_compare(span_at(known, low).first, span.last) <= 0; low++)
		keep(n, (uint32_t)low);
}

static void keep_addresses(struct narrow *n, struct known *known, bool via)
{
	bool whole = via ? n->is_exit && known->meaning.internet : n->all || (n->is_exit && known->meaning.internet);
	known_prefixes(n->r, known);
	for (size_t i = 0; i < known->count && (whole || (n->is_exit && !via)); i++)
		if (whole || spans_covers(spans_internet(), span_at(known, i)))
			keep(n, (uint32_t)i);
	for (size_t i = 0; i < n->own_count && !whole && !via; i++)
		keep_overlapping(n, known, n->own[i]);
	for (size_t i = 0; i < n->route_count && !whole && !(via && known->meaning.internet); i++)
		keep_overlapping(n, known, n->routes[i]);
	sort_kept(n);
}

void narrow_ports(struct narrow *n, struct known *known, bool via)
{
	n->count = 0;
	if (known->identity)
		keep_nodes(n, &known->meaning.nodes, via);
	else
		keep_addresses(n, known, via);
}

struct bytes narrow_text(const struct narrow *n, const struct known *known, uint32_t kept)
{
	return known->identity ? n->r->addresses[kept].text : known->texts[kept];
}

static void prefix_add(struct narrow *n, struct prefix prefix)
{
	if (n->prefix_count == n->prefix_room) {
		n->prefix_room = n->prefix_room ? n->prefix_room * 2 : 4;
		n->prefixes = x_realloc(n->prefixes, n->prefix_room * sizeof *n->prefixes);
	}
	n->prefixes[n->prefix_count++] = prefix;
}

/* Own addresses alone, and whatever overlaps a subnet route as it is; * never does. */
void narrow_app(struct narrow *n, struct known *known)
{
	n->count = 0;
	if (known->identity) {
		keep_nodes(n, &known->meaning.nodes, false);
		for (size_t i = 0; i < n->count; i++)
			prefix_add(n, ip_prefix(n->r->addresses[n->kept[i]].ip));
		return;
	}
	for (size_t i = 0; i < n->own_count && !n->all; i++)
		if (spans_has(known->meaning.spans, n->own[i].first))
			prefix_add(n, ip_prefix(n->own[i].first));
	if (known->meaning.any && !n->all)
		return;
	known_prefixes(n->r, known);
	for (size_t i = 0; i < n->route_count && !n->all; i++)
		keep_overlapping(n, known, n->routes[i]);
	for (size_t i = 0; i < known->count && n->all && known->prefixes; i++)
		keep(n, (uint32_t)i);
	for (size_t i = 0; i < n->count && known->prefixes; i++)
		prefix_add(n, known->prefixes[n->kept[i]]);
}

static int by_prefix(const void *a, const void *b)
{
	return prefix_compare(*(const struct prefix *)a, *(const struct prefix *)b);
}

size_t narrow_take(struct narrow *n, struct arena *arena, struct prefix **prefixes)
{
	struct prefix *list = *prefixes = ARENA_ARRAY(arena, struct prefix, n->prefix_count);
	size_t kept = 0;
	if (n->prefix_count > 1)
		qsort(n->prefixes, n->prefix_count, sizeof *n->prefixes, by_prefix);
	for (size_t i = 0; i < n->prefix_count; i++)
		if (!kept || prefix_compare(list[kept - 1], n->prefixes[i]) != 0)
			list[kept++] = n->prefixes[i];
	n->prefix_count = 0;
	return kept;
}
