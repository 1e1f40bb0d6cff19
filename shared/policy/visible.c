#include "visible.h"

#include <stdlib.h>

#include "resolve.h"
#include "route.h"
#include "sightgroup.h"
#include "table.h"
#include "twin.h"

struct sights {
	uint32_t *of; /* by slot: number of the sight; UINT32_MAX: empty */
	struct sight **list;
	size_t count, room;
	struct ways *ways;
};

/* Lists of routers that have been made; equal ones are one. */
struct router_list {
	struct sight_router *list;
	size_t count;
	uint64_t hash;
	uint32_t number;
};

struct maker {
	struct policy *policy;
	struct arena *scratch;
	struct sights *sights;
	struct ways *ways;
	struct sight_groups groups;
	struct bitset slots; /* taken ones */
	size_t words;
	uint64_t *row; /* of the class at hand, like all below */
	struct bitset shows, covers, grants, steers;
	struct sight_given *pairs; /* what is shown, by slot and way */
	size_t pair_count, pair_room;
	struct table *router_lists; /* by pairs */
	struct table *made;         /* hash -> chain of sights */
};

struct chain {
	struct sight *sight;
	uint32_t routers;
	struct chain *next;
};

static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 32) * UINT64_C(0xd6e8feb86659fd93);
	x = (x ^ x >> 32) * UINT64_C(0xd6e8feb86659fd93);
	return x ^ x >> 32;
}

static void empty(struct bitset *set)
{
	if (set->count)
		memset(set->words, 0, set->count * sizeof *set->words);
}

static void join(struct maker *m, const struct sight_group *group)
{
	for (size_t i = group->low; i < group->high; i++)
		m->row[i] |= group->sees->words[i];
	if (group->shows.count)
		bitset_or(&m->shows, &group->shows);
	if (group->covers.count)
		bitset_or(&m->covers, &group->covers);
	if (group->grants.count)
		bitset_or(&m->grants, &group->grants);
}

static void show(struct maker *m, uint32_t slot, uint32_t way)
{
	if (m->pair_count == m->pair_room)
		m->pairs = x_realloc(m->pairs, (m->pair_room = m->pair_room * 2 + 64) * sizeof *m->pairs);
	m->pairs[m->pair_count++] = (struct sight_given){slot, way};
}

static int by_slot(const void *a, const void *b)
{
	const struct sight_given *x = a, *y = b;
	if (x->slot != y->slot)
		return x->slot < y->slot ? -1 : 1;
	return (x->way > y->way) - (x->way < y->way);
}

static bool sees(const struct maker *m, uint32_t slot)
{
	return m->row[slot / 64] >> (slot % 64) & 1;
}

/* Ways that a via grant steers are with those that got them, and nobody else. */
static void steer(struct maker *m)
{
	size_t kept = 0;
	BITSET_EACH(&m->grants, number) {
		const struct sight_grant *grant = &m->groups.grants[number];
		for (size_t i = 0; i < grant->given_count; i++)
			if (bitset_has(&m->steers, grant->given[i].way) && sees(m, grant->given[i].slot))
				show(m, grant->given[i].slot, grant->given[i].way);
	}
	if (m->pair_count)
		qsort(m->pairs, m->pair_count, sizeof *m->pairs, by_slot);
	for (size_t i = 0; i < m->pair_count; i++)
		if (!kept || by_slot(&m->pairs[kept - 1], &m->pairs[i]))
			m->pairs[kept++] = m->pairs[i];
	m->pair_count = kept;
}

static void find_routes(struct maker *m)
{
	m->pair_count = 0;
	empty(&m->steers);
	BITSET_EACH(&m->grants, number)
		bitset_or(&m->steers, &m->groups.grants[number].steers);
	bitset_minus(&m->steers, &m->covers);
	if (bitset_any(&m->shows)) {
		for (size_t i = 0; i < m->ways->router_count; i++) {
			const struct way_router *router = &m->ways->routers[i];
			for (size_t k = 0; sees(m, router->slot) && k < router->offered.count; k++)
				if (bitset_has(&m->shows, router->offered.list[k]) && !bitset_has(&m->steers, router->offered.list[k]))
					show(m, router->slot, router->offered.list[k]);
		}
	}
	if (bitset_any(&m->steers))
		steer(m);
}

static uint64_t hash_prefix(uint64_t hash, struct prefix prefix)
{
	uint64_t words[2];
	memcpy(words, prefix.ip.byte, sizeof words);
	return mix(mix(mix(hash ^ words[0]) + words[1]) + ((uint64_t)prefix.ip.family << 8 | prefix.bits));
}

static struct sight_router sight_router(struct maker *m, const struct sight_given *pairs, size_t count)
{
	const struct way_router *router = ways_router(m->ways, pairs->slot);
	struct sight_router made = {pairs->slot, NULL, count};
	bool whole = router->offered.count == count;
	for (size_t i = 0; whole && i < count; i++)
		whole = router->offered.list[i] == pairs[i].way;
	if (whole) {
		made.routes = router->prefixes;
		return made;
	}
	made.routes = ARENA_ARRAY(m->policy->arena, struct prefix, count);
	for (size_t i = 0; i < count; i++)
		made.routes[i] = m->ways->list[pairs[i].way];
	return made;
}

static const struct router_list *router_list(struct maker *m)
{
	struct bytes key = bytes_of(m->pairs, m->pair_count * sizeof *m->pairs);
	struct router_list *made = table_find(m->router_lists, key);
	if (made)
		return made;
	made = ARENA_NEW(m->scratch, struct router_list);
	made->number = (uint32_t)table_count(m->router_lists);
	size_t routers = 0;
	for (size_t i = 0; i < m->pair_count; i++)
		routers += !i || m->pairs[i].slot != m->pairs[i - 1].slot;
	made->list = ARENA_ARRAY(m->policy->arena, struct sight_router, routers);
	for (size_t i = 0, next; i < m->pair_count; i = next) {
		for (next = i + 1; next < m->pair_count && m->pairs[next].slot == m->pairs[i].slot;)
			next++;
		made->list[made->count] = sight_router(m, &m->pairs[i], next - i);
		made->hash = mix(made->hash + m->pairs[i].slot + 1);
		for (size_t k = 0; k < next - i; k++)
			made->hash = hash_prefix(made->hash, made->list[made->count].routes[k]);
		made->count++;
	}
	table_put(m->router_lists, key, made);
	return made;
}

static struct sight *sight_add(struct maker *m, const uint64_t *row, struct sight_router *routers, size_t router_count)
{
	struct sights *sights = m->sights;
	struct sight *sight = ARENA_NEW(m->policy->arena, struct sight);
	sight->number = (uint32_t)sights->count;
	sight->row = (struct bitset){ARENA_ARRAY(m->policy->arena, uint64_t, m->words), m->words};
	if (m->words)
		memcpy(sight->row.words, row, m->words * sizeof *row);
	sight->routers = routers;
	sight->router_count = router_count;
	if (sights->count == sights->room) {
		struct sight **list = ARENA_ARRAY(m->policy->arena, struct sight *, sights->room * 2 + 64);
		if (sights->count)
			memcpy(list, sights->list, sights->count * sizeof *list);
		sights->list = list;
		sights->room = sights->room * 2 + 64;
	}
	sights->list[sights->count++] = sight;
	return sight;
}

static uint32_t new_sight(struct maker *m, const struct router_list *routers, uint64_t hash, struct chain *chain)
{
	struct sight *sight = sight_add(m, m->row, routers->list, routers->count);
	struct chain *link = ARENA_NEW(m->scratch, struct chain);
	*link = (struct chain){sight, routers->number, chain};
	table_put_number(m->made, hash, link);
	return sight->number;
}

/* The sight of the class at hand: one that equals it, or a new one. */
static uint32_t conclude(struct maker *m)
{
	for (size_t i = 0; i < m->words; i++)
		m->row[i] &= bitset_word(&m->slots, i);
	find_routes(m);
	const struct router_list *routers = router_list(m);
	struct bitset row = {m->row, m->words};
	uint64_t hash = mix(bitset_hash(&row) ^ mix(routers->hash + 1));
	struct chain *first = table_find_number(m->made, hash);
	for (struct chain *at = first; at; at = at->next)
		if (at->routers == routers->number && bitset_equal(&at->sight->row, &row))
			return at->sight->number;
	return new_sight(m, routers, hash, first);
}

static void start(struct maker *m)
{
	if (m->words)
		memset(m->row, 0, m->words * sizeof *m->row);
	empty(&m->shows);
	empty(&m->covers);
	empty(&m->grants);
}

/* For one node of each class: its groups stand in the columns. `columns` holds those of the block at hand, a line of 64 per chunk. */
static void make_block(struct maker *m, size_t block, const uint32_t *classes, uint32_t *sight_of, uint64_t (*columns)[64])
{
	size_t chunks = (m->groups.count + 63) / 64, slots = m->policy->roll->node_count;
	bool filled = false;
	for (size_t slot = block * 64; slot < slots && slot < block * 64 + 64; slot++) {
		if (classes[slot] == UINT32_MAX || sight_of[classes[slot]] != UINT32_MAX)
			continue;
		for (size_t chunk = 0; !filled && chunk < chunks; chunk++)
			sight_columns(&m->groups, chunk, block, columns[chunk]);
		filled = true;
		start(m);
		for (size_t chunk = 0; chunk < chunks; chunk++)
			for (uint64_t word = columns[chunk][slot % 64]; word; word &= word - 1)
				join(m, m->groups.list[chunk * 64 + (size_t)__builtin_ctzll(word)]);
		sight_of[classes[slot]] = conclude(m);
	}
}

/* Slots, and those of nodes to come. */
static size_t room_of(const struct policy *policy)
{
	return policy->resolver ? policy->resolver->slots : policy->roll->node_count;
}

static void make_all(struct maker *m)
{
	size_t slots = m->policy->roll->node_count;
	uint32_t *classes = ARENA_ARRAY(m->scratch, uint32_t, slots);
	size_t count = sight_classes(&m->groups, m->policy->roll, classes);
	uint32_t *sight_of = ARENA_ARRAY(m->scratch, uint32_t, count);
	uint64_t(*columns)[64] = arena_alloc(m->scratch, (m->groups.count + 63) / 64 * sizeof *columns);
	memset(sight_of, 0xff, count * sizeof *sight_of);
	for (size_t block = 0; block * 64 < slots; block++)
		make_block(m, block, classes, sight_of, columns);
	m->sights->of = ARENA_ARRAY(m->policy->arena, uint32_t, room_of(m->policy));
	memset(m->sights->of, 0xff, room_of(m->policy) * sizeof *m->sights->of);
	for (size_t i = 0; i < slots; i++)
		m->sights->of[i] = classes[i] == UINT32_MAX ? UINT32_MAX : sight_of[classes[i]];
}

static void maker_init(struct maker *m, struct policy *policy, struct sights *sights)
{
	*m = (struct maker){.policy = policy, .scratch = arena_new(), .sights = sights};
	m->words = (room_of(policy) + 63) / 64;
	m->row = ARENA_ARRAY(m->scratch, uint64_t, m->words);
	m->pairs = x_alloc((m->pair_room = 64) * sizeof *m->pairs);
	m->router_lists = table_new();
	m->made = table_new();
	if (!sights->ways)
		sights->ways = ways_new(policy->arena, policy);
	m->ways = sights->ways;
	for (size_t i = 0; i < policy->roll->node_count; i++)
		if (policy->roll->nodes[i].node)
			bitset_add(&m->slots, i);
}

static void maker_clear(struct maker *m)
{
	sight_groups_clear(&m->groups);
	struct bitset *sets[] = {&m->slots, &m->shows, &m->covers, &m->grants, &m->steers};
	for (size_t i = 0; i < COUNT_OF(sets); i++)
		bitset_clear(sets[i]);
	free(m->pairs);
	table_free(&m->router_lists);
	table_free(&m->made);
	arena_free(&m->scratch);
}

static struct sights *make(struct policy *policy)
{
	struct maker m;
	struct sights *sights = ARENA_NEW(policy->arena, struct sights);
	maker_init(&m, policy, sights);
	sight_groups_init(&m.groups, m.scratch, policy, m.ways);
	make_all(&m);
	maker_clear(&m);
	return sights;
}

/* ---- one node moves ---- */

/* Nodes of one sight of whom some see the node that moves, and some do not. */
struct parting {
	size_t in, out;
	uint32_t apart; /* sight of those that do, when both; UINT32_MAX: not made yet */
};

/* Who sees it is who it sees. */
static void part(struct maker *m, uint32_t slot)
{
	struct sights *sights = m->sights;
	size_t count = sights->count, slots = m->policy->roll->node_count;
	struct parting *parts = ARENA_ARRAY(m->scratch, struct parting, count);
	for (uint32_t i = 0; i < slots; i++)
		if (i != slot && sights->of[i] != UINT32_MAX)
			*(sees(m, i) ? &parts[sights->of[i]].in : &parts[sights->of[i]].out) += 1;
	for (size_t i = 0; i < count; i++) {
		struct sight *sight = sights->list[i];
		bool both = parts[i].in && parts[i].out;
		parts[i].apart = both ? sight_add(m, sight->row.words, sight->routers, sight->router_count)->number : UINT32_MAX;
		if (both)
			bitset_add(&sights->list[parts[i].apart]->row, slot);
		if (parts[i].in && !parts[i].out)
			bitset_add(&sight->row, slot);
		else
			bitset_remove(&sight->row, slot);
	}
	for (uint32_t i = 0; i < slots; i++)
		if (i != slot && sights->of[i] != UINT32_MAX && sees(m, i) && parts[sights->of[i]].apart != UINT32_MAX)
			sights->of[i] = parts[sights->of[i]].apart;
}

static bool shows_as(const struct sight *sight, const struct bitset *row, const struct router_list *routers)
{
	bool same = sight->router_count == routers->count && bitset_equal(&sight->row, row);
	for (size_t i = 0; same && i < routers->count; i++) {
		const struct sight_router *a = &sight->routers[i], *b = &routers->list[i];
		same = a->slot == b->slot && a->count == b->count;
		for (size_t k = 0; same && k < a->count; k++)
			same = !prefix_compare(a->routes[k], b->routes[k]);
	}
	return same;
}

static uint32_t find_sight(struct maker *m)
{
	struct bitset row = {m->row, m->words};
	find_routes(m);
	const struct router_list *routers = router_list(m);
	for (size_t i = 0; i < m->sights->count; i++)
		if (shows_as(m->sights->list[i], &row, routers))
			return (uint32_t)i;
	return sight_add(m, m->row, routers->list, routers->count)->number;
}

void visible_move(struct policy *policy, uint32_t slot)
{
	struct maker m;
	if (!policy->sights)
		return;
	maker_init(&m, policy, policy->sights);
	start(&m);
	if (bitset_has(&policy->resolver->all, slot)) {
		sight_groups_of(&m.groups, m.scratch, policy, m.ways, slot);
		join(&m, m.groups.list[0]);
	}
	for (size_t i = 0; i < m.words; i++)
		m.row[i] &= bitset_word(&policy->resolver->all, i);
	part(&m, slot);
	policy->sights->of[slot] = bitset_has(&policy->resolver->all, slot) ? find_sight(&m) : UINT32_MAX;
	maker_clear(&m);
}

const struct sight *visible_sight(struct policy *policy, uint32_t slot)
{
	if (slot >= policy->roll->node_count)
		return NULL;
	if (!policy->sights)
		policy->sights = make(policy);
	uint32_t number = policy->sights->of[slot];
	return number == UINT32_MAX ? NULL : policy->sights->list[number];
}

uint64_t sight_hash(const struct sight *sight)
{
	uint64_t hash = mix(bitset_hash(&sight->row));
	for (size_t i = 0; i < sight->router_count; i++) {
		hash = mix(hash + sight->routers[i].slot + 1);
		for (size_t k = 0; k < sight->routers[i].count; k++)
			hash = hash_prefix(hash, sight->routers[i].routes[k]);
	}
	return hash;
}

void visible_stand_as(struct policy *policy, uint32_t slot, uint32_t twin)
{
	struct sights *sights = policy->sights;
	if (!sights)
		return;
	for (size_t i = 0; i < sights->count; i++)
		set_stand_as(sights->list[i]->row.words, slot, twin);
	sights->of[slot] = twin == NO_TWIN ? UINT32_MAX : sights->of[twin];
}

size_t visible_count(const struct policy *policy)
{
	return policy->sights ? policy->sights->count : 0;
}

const struct sight_router *sight_find(const struct sight *sight, uint32_t slot)
{
	size_t low = 0, high = sight->router_count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (sight->routers[middle].slot == slot)
			return &sight->routers[middle];
		if (sight->routers[middle].slot < slot)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}
