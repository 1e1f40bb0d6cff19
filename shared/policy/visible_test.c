#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "route.h"
#include "visible.h"

/* A policy made by hand: units without a text, so that rows and routes can be judged by the words of the reference alone. */
enum { NODES_MAX = 200, UNITS_MAX = 200, SOURCES_MAX = 80 };

static const char *const pool[] = {"0.0.0.0/0",  "10.0.0.0/8", "10.33.0.0/16", "10.33.1.0/24", "192.168.1.0/24",
				   "8.8.8.0/24", "::/0",       "fd00:1::/64",  "2600::/32"};

struct world {
	struct arena *arena;
	uint64_t seed;
	struct node nodes[NODES_MAX];
	struct roll_node slots[NODES_MAX];
	struct roll roll;
	struct document document;
	struct rule rules[UNITS_MAX];
	struct source *sources[SOURCES_MAX];
	size_t source_count;
	struct unit units[UNITS_MAX];
	struct policy policy;
	struct prefix routes[COUNT_OF(pool)];
};

static uint64_t next(struct world *w)
{
	w->seed = w->seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return w->seed >> 33;
}

static bool chance(struct world *w, unsigned percent)
{
	return next(w) % 100 < percent;
}

static struct prefix prefix(const char *text)
{
	struct prefix p;
	assert_int_equal(prefix_parse(bytes_text(text), &p), ERR_NONE);
	return p;
}

static struct spans spans_list(struct world *w, const struct prefix *list, size_t count)
{
	struct span *spans = ARENA_ARRAY(w->arena, struct span, count + 1);
	for (size_t i = 0; i < count; i++)
		spans[i] = span_of(list[i]);
	return spans_of(spans, count);
}

static size_t served(const struct node *node, struct prefix out[static 16])
{
	size_t count = 0;
	for (size_t i = 0; i < node->approved_count; i++)
		out[count++] = node->routes_approved[i];
	return count;
}

static bool serves(const struct node *node, struct prefix route)
{
	for (size_t i = 0; i < node->approved_count; i++)
		if (!prefix_compare(node->routes_approved[i], route))
			return true;
	return false;
}

static bool is_primary(const struct node *node, struct prefix route)
{
	for (size_t i = 0; i < node->primary_count; i++)
		if (!prefix_compare(node->routes_primary[i], route))
			return true;
	return false;
}

static void add_node(struct world *w, size_t slot)
{
	struct node *node = &w->nodes[slot];
	*node = (struct node){.id = slot + 1};
	node->created.ns = (int64_t)(1000 + next(w) % 1000000);
	node->ip4 = ip_add(prefix("100.64.0.1").ip, slot);
	node->ip6 = ip_add(prefix("fd7a:115c:a1e0::1").ip, slot);
	node->routes_approved = ARENA_ARRAY(w->arena, struct prefix, COUNT_OF(pool));
	node->routes_primary = ARENA_ARRAY(w->arena, struct prefix, COUNT_OF(pool));
	if (chance(w, 25))
		for (size_t i = 0; i < COUNT_OF(pool); i++)
			if (chance(w, 30))
				node->routes_approved[node->approved_count++] = prefix(pool[i]);
	node->routes_advertised = node->routes_approved;
	node->advertised_count = node->approved_count;
	w->slots[slot].node = node;
	for (size_t i = 0; i < node->approved_count; i++)
		if (route_is_exit(node->routes_approved[i]))
			bitset_add(&w->policy.exits, slot);
}

static void elect(struct world *w)
{
	for (size_t i = 0; i < COUNT_OF(pool); i++) {
		struct prefix route = prefix(pool[i]);
		struct node *best = NULL;
		for (size_t slot = 0; slot < w->roll.node_count; slot++)
			if (w->slots[slot].node && serves(&w->nodes[slot], route) && (!best || w->nodes[slot].created.ns < best->created.ns))
				best = &w->nodes[slot];
		if (!best || route_is_exit(route))
			continue;
		best->routes_primary[best->primary_count++] = route;
		w->routes[w->policy.route_count++] = route;
	}
}

static bool overlaps_routes(const struct node *node, struct spans spans)
{
	struct prefix list[16];
	size_t count = served(node, list);
	for (size_t i = 0; i < count; i++)
		if (!route_is_exit(list[i]) && spans_overlap(spans, span_of(list[i])))
			return true;
	return false;
}

static bool has_own(const struct node *node, struct spans spans)
{
	return spans_has(spans, node->ip4) || spans_has(spans, node->ip6);
}

static struct spans some_addresses(struct world *w)
{
	struct prefix list[NODES_MAX * 2 + 4];
	size_t count = 0;
	unsigned share = (unsigned)(next(w) % 30);
	for (size_t slot = 0; slot < w->roll.node_count; slot++) {
		if (!w->slots[slot].node || !chance(w, share))
			continue;
		list[count++] = ip_prefix(w->nodes[slot].ip4);
		list[count++] = ip_prefix(w->nodes[slot].ip6);
	}
	if (chance(w, 30))
		list[count++] = prefix(pool[next(w) % COUNT_OF(pool)]);
	if (chance(w, 10))
		list[count++] = prefix("10.33.1.7");
	return spans_list(w, list, count);
}

static struct source *some_source(struct world *w, uint32_t number)
{
	struct source *source = ARENA_NEW(w->arena, struct source);
	source->number = number;
	source->everything = chance(w, 5);
	if (!source->everything)
		source->spans = chance(w, 15) ? spans_wildcard() : some_addresses(w);
	for (size_t slot = 0; slot < w->roll.node_count; slot++) {
		if (!w->slots[slot].node)
			continue;
		bool own = source->everything || has_own(&w->nodes[slot], source->spans);
		if (own)
			bitset_add(&source->own, slot);
		if (own || overlaps_routes(&w->nodes[slot], source->spans))
			bitset_add(&source->nodes, slot);
	}
	return source;
}

/* What a rule may have as destination: *, the Internet, addresses. */
static struct meaning *some_meaning(struct world *w)
{
	struct meaning *meaning = ARENA_NEW(w->arena, struct meaning);
	meaning->any = chance(w, 10);
	meaning->internet = !meaning->any && chance(w, 20);
	meaning->spans = meaning->any ? spans_wildcard() : meaning->internet ? spans_internet() : some_addresses(w);
	return meaning;
}

static bool is_target(const struct unit *unit, const struct meaning *meaning, const struct node *node)
{
	if (meaning->any)
		return true;
	return has_own(node, meaning->spans) || overlaps_routes(node, meaning->spans) || (unit->via && meaning->internet && roll_is_exit(node));
}

static void add_unit(struct world *w, size_t at)
{
	static const struct capability app = {{(const uint8_t *)"a", 1}, {0}};
	struct unit *unit = &w->units[at];
	struct unit_dst *dst = ARENA_ARRAY(w->arena, struct unit_dst, 2);
	*unit = (struct unit){.rule = &w->rules[at], .source = w->sources[next(w) % w->source_count], .dst = dst, .self_of = UINT32_MAX};
	unit->dst_count = 1 + next(w) % 2;
	unit->via = chance(w, 25);
	if (chance(w, 20))
		unit->app = &app;
	for (size_t i = 0; i < unit->dst_count; i++) {
		const struct meaning *meaning = some_meaning(w);
		dst[i].meaning = meaning;
		unit->covers_internet |= meaning->internet || (meaning->any && !unit->app);
		for (size_t slot = 0; slot < w->roll.node_count; slot++) {
			bool tagged = !unit->via || slot % 3 == at % 3;
			if (w->slots[slot].node && tagged && is_target(unit, meaning, &w->nodes[slot]) &&
			    (!unit->via || overlaps_routes(&w->nodes[slot], meaning->spans) || (meaning->internet && roll_is_exit(&w->nodes[slot]))))
				bitset_add(&unit->nodes, slot);
		}
	}
}

static struct world *world(uint64_t seed, size_t nodes, size_t units)
{
	struct arena *arena = arena_new();
	struct world *w = ARENA_NEW(arena, struct world);
	w->arena = arena;
	w->seed = seed;
	w->roll = (struct roll){.nodes = w->slots, .node_count = nodes};
	w->policy = (struct policy){.arena = arena, .document = &w->document, .roll = &w->roll, .units = w->units, .unit_count = units, .routes = w->routes};
	for (size_t slot = 0; slot < nodes; slot++)
		if (chance(w, 90))
			add_node(w, slot);
	elect(w);
	w->source_count = 1 + next(w) % (units > 20 ? SOURCES_MAX : 8);
	for (size_t i = 0; i < w->source_count; i++)
		w->sources[i] = some_source(w, (uint32_t)i);
	for (size_t i = 0; i < units; i++)
		add_unit(w, i);
	return w;
}

static void world_free(struct world *w)
{
	struct arena *arena = w->arena;
	for (size_t i = 0; i < w->policy.unit_count; i++)
		bitset_clear(&w->units[i].nodes);
	for (size_t i = 0; i < w->source_count; i++) {
		bitset_clear(&w->sources[i]->own);
		bitset_clear(&w->sources[i]->nodes);
	}
	bitset_clear(&w->policy.exits);
	arena_free(&arena);
}

/* The words of section 14. */
static bool connects(const struct world *w, const struct unit *unit, size_t x, size_t y)
{
	return bitset_has(&unit->source->nodes, x) && (bitset_has(&unit->nodes, y) || (unit->covers_internet && !unit->via && roll_is_exit(&w->nodes[y])));
}

static bool expected_peer(const struct world *w, size_t a, size_t b)
{
	for (size_t i = 0; i < w->policy.unit_count; i++)
		if (connects(w, &w->units[i], a, b) || connects(w, &w->units[i], b, a))
			return true;
	return false;
}

static bool target_overlaps(const struct unit *unit, struct prefix route)
{
	for (size_t i = 0; i < unit->dst_count; i++) {
		const struct meaning *meaning = unit->dst[i].meaning;
		if (meaning->any ? !unit->app : spans_overlap(meaning->spans, span_of(route)))
			return true;
	}
	return false;
}

/* The words of 15.2. */
static bool shows(const struct world *w, size_t viewer, struct prefix route)
{
	for (size_t i = 0; i < w->policy.unit_count; i++) {
		const struct unit *unit = &w->units[i];
		bool target = bitset_has(&unit->nodes, viewer) || (unit->covers_internet && roll_is_exit(&w->nodes[viewer]));
		if (unit->via)
			continue;
		if (bitset_has(&unit->source->nodes, viewer) && target_overlaps(unit, route))
			return true;
		if (target && (unit->source->everything || spans_overlap(unit->source->spans, span_of(route))))
			return true;
	}
	return !route_is_exit(route) && serves(&w->nodes[viewer], route);
}

/* The words of 15.3: whether a grant of the viewer takes hold of the route, and whether some grant gives it to the peer. */
static bool steered(const struct world *w, size_t viewer, size_t peer, struct prefix route, bool *given)
{
	bool held = false;
	*given = false;
	for (size_t i = 0; i < w->policy.unit_count; i++)
		if (!w->units[i].via && bitset_has(&w->units[i].source->own, viewer) && target_overlaps(&w->units[i], route))
			return false;
	for (size_t i = 0; i < w->policy.unit_count; i++) {
		const struct unit *unit = &w->units[i];
		bool matches = false, first = true;
		for (size_t k = 0; k < unit->dst_count; k++)
			matches |= unit->dst[k].meaning->internet ? route_is_exit(route)
								  : !route_is_exit(route) && spans_overlap(unit->dst[k].meaning->spans, span_of(route));
		if (!unit->via || !bitset_has(&unit->source->own, viewer) || !matches)
			continue;
		held = true;
		for (size_t slot = 0; slot < w->roll.node_count; slot++)
			if (w->slots[slot].node && bitset_has(&unit->nodes, slot) && serves(&w->nodes[slot], route) && !route_is_exit(route) &&
			    w->nodes[slot].created.ns < w->nodes[peer].created.ns)
				first = false;
		*given |= first && bitset_has(&unit->nodes, peer) && serves(&w->nodes[peer], route);
	}
	return held;
}

static bool expected_route(const struct world *w, size_t viewer, size_t peer, struct prefix route)
{
	bool given;
	if (steered(w, viewer, peer, route, &given))
		return given;
	return (route_is_exit(route) || is_primary(&w->nodes[peer], route)) && shows(w, viewer, route);
}

static void check_peer(struct world *w, const struct sight *sight, size_t viewer, size_t peer)
{
	const struct sight_router *router = sight_find(sight, (uint32_t)peer);
	struct prefix list[16];
	size_t count = served(&w->nodes[peer], list), found = 0;
	for (size_t i = 0; i < count; i++) {
		bool there = false;
		for (size_t k = 0; router && k < router->count; k++)
			there |= !prefix_compare(router->routes[k], list[i]);
		assert_int_equal(there, expected_route(w, viewer, peer, list[i]));
		found += there;
	}
	assert_true(router ? router->count == found && found > 0 : !found);
	for (size_t k = 1; router && k < router->count; k++)
		assert_true(prefix_compare(router->routes[k - 1], router->routes[k]) < 0);
}

static void check_world(struct world *w)
{
	for (size_t viewer = 0; viewer < w->roll.node_count; viewer++) {
		const struct sight *sight = visible_sight(&w->policy, (uint32_t)viewer);
		assert_int_equal(sight != NULL, w->slots[viewer].node != NULL);
		for (size_t peer = 0; sight && peer < w->roll.node_count; peer++) {
			if (peer == viewer)
				continue;
			bool there = bitset_has(&sight->row, peer);
			assert_int_equal(there, w->slots[peer].node && expected_peer(w, viewer, peer));
			if (there)
				check_peer(w, sight, viewer, peer);
			else
				assert_null(sight_find(sight, (uint32_t)peer));
			if (there)
				assert_true(bitset_has(&visible_sight(&w->policy, (uint32_t)peer)->row, viewer));
		}
	}
}

static void random_rules_give_what_the_reference_says(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 600; seed++) {
		struct world *w = world(seed, 1 + seed % 23, 1 + seed % 13);
		check_world(w);
		world_free(w);
	}
	for (uint64_t seed = 1; seed <= 4; seed++) {
		struct world *w = world(seed * 7919, 150 + seed * 10, 40 * seed + 40);
		check_world(w);
		world_free(w);
	}
}

/* Sights are numbered without gaps, and two of one policy differ. */
static void equal_sights_are_one(void **state)
{
	(void)state;
	struct world *w = world(42, 180, 12);
	assert_int_equal(visible_count(&w->policy), 0);
	const struct sight *list[NODES_MAX] = {NULL};
	for (uint32_t slot = 0; slot < 180; slot++) {
		const struct sight *sight = visible_sight(&w->policy, slot);
		if (!sight)
			continue;
		assert_true(sight->number < visible_count(&w->policy));
		assert_true(!list[sight->number] || list[sight->number] == sight);
		list[sight->number] = sight;
	}
	for (size_t i = 0; i < visible_count(&w->policy); i++) {
		assert_non_null(list[i]);
		for (size_t k = 0; k < i; k++)
			assert_true(sight_hash(list[i]) != sight_hash(list[k]));
	}
	assert_null(visible_sight(&w->policy, 180));
	world_free(w);
}

/* Without rules nobody sees anybody; all see the same: nothing. */
static void no_rule_no_peer(void **state)
{
	(void)state;
	struct world *w = world(5, 70, 0);
	for (uint32_t slot = 0; slot < 70; slot++) {
		const struct sight *sight = visible_sight(&w->policy, slot);
		if (!sight)
			continue;
		assert_false(bitset_any(&sight->row));
		assert_int_equal(sight->router_count, 0);
	}
	world_free(w);
}

/* Two policies that show the same have the same hash, whatever their routes are numbered. */
static void hash_is_of_what_is_shown(void **state)
{
	(void)state;
	struct world *a = world(11, 60, 8), *b = world(11, 60, 8);
	for (uint32_t slot = 0; slot < 60; slot++) {
		const struct sight *x = visible_sight(&a->policy, slot), *y = visible_sight(&b->policy, slot);
		assert_int_equal(x != NULL, y != NULL);
		if (x)
			assert_true(sight_hash(x) == sight_hash(y));
	}
	world_free(a);
	world_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_rules_give_what_the_reference_says),
		cmocka_unit_test(equal_sights_are_one),
		cmocka_unit_test(no_rule_no_peer),
		cmocka_unit_test(hash_is_of_what_is_shown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
