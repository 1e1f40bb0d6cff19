#include "class.h"

#include <assert.h>
#include <stdlib.h>

static struct view *view_new(const struct views *v, bool open, bool ip6_only, uint64_t oldest)
{
	struct view *view = x_zalloc(sizeof *view);
	view->rules = v->rules;
	view->open = open;
	view->ip6_only = ip6_only;
	view->oldest = view->rerouted.oldest = oldest;
	bitset_init(&view->row);
	return view;
}

static void view_free(struct view *view)
{
	bitset_clear(&view->row);
	moves_clear(&view->rerouted);
	free(view->undo);
	free(view->routers);
	free(view);
}

void views_init(struct views *v, size_t history)
{
	*v = (struct views){.history = history, .rules = rules_new(history)};
	v->nobody = view_new(v, true, false, 0);
	v->everybody = view_new(v, true, false, 0);
}

void views_clear(struct views *v)
{
	view_free(v->nobody);
	view_free(v->everybody);
	for (size_t i = 0; i < v->count; i++)
		view_free(v->list[i]);
	free(v->list);
	free(v->of);
	rules_free(&v->rules);
	*v = (struct views){0};
}

/* ---- rows ---- */

/* Half of the history goes at a time, so that dropping is cheap on the average. */
static void forget_half(struct view *view)
{
	size_t half = view->undo_count / 2;
	assert(view->undo && half);
	view->oldest = view->undo[half - 1].version;
	/* A version goes wholly or stays wholly. */
	while (half < view->undo_count && view->undo[half].version == view->oldest)
		half++;
	memmove(view->undo, view->undo + half, (view->undo_count - half) * sizeof *view->undo);
	view->undo_count -= half;
}

static void undo_push(struct view *view, size_t history, uint64_t version, uint32_t word)
{
	const struct undo *last = view->undo_count ? &view->undo[view->undo_count - 1] : NULL;
	if (last && last->version == version && last->word == word)
		return;
	if (view->undo_count >= history && view->undo_count > 1)
		forget_half(view);
	if (view->undo_count == view->undo_room) {
		view->undo_room = view->undo_room ? view->undo_room * 2 : 4;
		view->undo = x_realloc(view->undo, view->undo_room * sizeof *view->undo);
	}
	assert(view->undo);
	view->undo[view->undo_count++] = (struct undo){version, bitset_word(&view->row, word), word};
}

/* ---- without a policy ---- */

static void judge(struct views *v, const struct snapshot *s, uint32_t slot)
{
	struct view *view = v->everybody;
	bool visible = snapshot_admits(s, snapshot_node(s, slot));
	if (bitset_has(&view->row, slot) == visible)
		return;
	undo_push(view, v->history, s->version, slot / 64);
	if (visible)
		bitset_add(&view->row, slot);
	else
		bitset_remove(&view->row, slot);
}

static void follow_open(struct views *v, const struct snapshot *s)
{
	if (v->open_at && ring_reaches(&s->ring, v->open_at)) {
		RING_EACH(&s->ring, entry, v->open_at)
			if (entry->facets & FACET_VISIBLE)
				judge(v, s, entry->slot);
	} else {
		for (uint32_t slot = 0; slot < s->seat_count; slot++)
			judge(v, s, slot);
	}
	v->open_at = s->version;
}

/* ---- by policy ---- */

/* A sight on the way to its view: nodes vote for the one that they have, and the majority's goes on. */
struct claim {
	const struct sight *sight;
	bool ip6_only;
	struct view *view;
	size_t votes;
};

struct claims {
	struct claim *list;
	size_t count, room;
	uint32_t *of;    /* by slot: number + 1; 0: sees nobody */
	uint32_t *first; /* by sight and family: number + 1 */
	size_t first_room;
};

static uint32_t claim_for(struct claims *c, const struct sight *sight, bool ip6_only)
{
	size_t key = (size_t)sight->number * 2 + ip6_only;
	if (key >= c->first_room) {
		size_t room = key * 2 + 16;
		c->first = x_realloc(c->first, room * sizeof *c->first);
		memset(c->first + c->first_room, 0, (room - c->first_room) * sizeof *c->first);
		c->first_room = room;
	}
	if (c->first[key])
		return c->first[key];
	if (c->count == c->room) {
		c->room = c->room ? c->room * 2 : 16;
		c->list = x_realloc(c->list, c->room * sizeof *c->list);
	}
	c->list[c->count++] = (struct claim){.sight = sight, .ip6_only = ip6_only};
	return c->first[key] = (uint32_t)c->count;
}

static void vote(struct claim *claim, struct view *view)
{
	if (!claim->votes)
		claim->view = view;
	if (view)
		claim->votes += claim->view == view ? 1 : (size_t)-1;
}

static void take_votes(struct views *v, const struct snapshot *s, struct claims *c)
{
	struct policy *policy = v->rules->policy;
	for (uint32_t slot = 0; slot < s->seat_count; slot++) {
		const struct sight *sight = snapshot_admits(s, snapshot_node(s, slot)) ? visible_sight(policy, slot) : NULL;
		c->of[slot] = sight ? claim_for(c, sight, bitset_has(&v->rules->no_ip4, slot)) : 0;
		if (!c->of[slot])
			continue;
		assert(c->list);
		struct view *had = slot < v->of_count ? v->of[slot] : NULL;
		struct claim *claim = &c->list[c->of[slot] - 1];
		if (!had || had->ip6_only == claim->ip6_only)
			vote(claim, had);
	}
}

static struct view *view_add(struct views *v, bool ip6_only, uint64_t version)
{
	if (v->count == v->room) {
		v->room = v->room ? v->room * 2 : 8;
		v->list = x_realloc(v->list, v->room * sizeof *v->list);
	}
	return v->list[v->count++] = view_new(v, false, ip6_only, version);
}

static bool same_routes(const struct sight_router *a, const struct sight_router *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (prefix_compare(a->routes[i], b->routes[i]))
			return false;
	return true;
}

typedef void (*differs_fn)(void *context, uint32_t slot);

/* Slots of which the lists show different routes. */
static void compare_routers(const struct sight_router *a, size_t a_count, const struct sight_router *b, size_t b_count, differs_fn differs, void *context)
{
	size_t i = 0, j = 0;
	while (i < a_count || j < b_count) {
		if (j == b_count || (i < a_count && a[i].slot < b[j].slot)) {
			differs(context, a[i++].slot);
		} else if (i == a_count || b[j].slot < a[i].slot) {
			differs(context, b[j++].slot);
		} else {
			if (!same_routes(&a[i], &b[j]))
				differs(context, a[i].slot);
			i++, j++;
		}
	}
}

static struct sight_router *copy_routers(const struct sight *sight)
{
	size_t routes = 0;
	for (size_t i = 0; i < sight->router_count; i++)
		routes += sight->routers[i].count;
	struct sight_router *copy = x_alloc(sight->router_count * sizeof *copy + routes * sizeof(struct prefix));
	struct prefix *at = (struct prefix *)(copy + sight->router_count);
	for (size_t i = 0; i < sight->router_count; i++) {
		const struct sight_router *router = &sight->routers[i];
		copy[i] = (struct sight_router){router->slot, at, router->count};
		for (size_t j = 0; j < router->count; j++)
			*at++ = router->routes[j];
	}
	return copy;
}

struct reroute {
	struct view *view;
	size_t history;
	uint64_t version;
};

static void note_reroute(void *context, uint32_t slot)
{
	const struct reroute *r = context;
	moves_push(&r->view->rerouted, r->history, r->version, slot);
}

/* The view becomes what the sight is; a new one has no past. */
static void become(struct views *v, struct view *view, const struct sight *sight, uint64_t version, bool is_new)
{
	size_t words = view->row.count > sight->row.count ? view->row.count : sight->row.count;
	struct reroute reroute = {view, v->history, version};
	if (is_new) {
		bitset_copy(&view->row, &sight->row);
	} else {
		for (uint32_t word = 0; word < words; word++)
			if (bitset_word(&view->row, word) != bitset_word(&sight->row, word))
				undo_push(view, v->history, version, word);
		bitset_copy(&view->row, &sight->row);
		compare_routers(view->routers, view->router_count, sight->routers, sight->router_count, note_reroute, &reroute);
	}
	free(view->routers);
	view->routers = copy_routers(sight);
	view->router_count = sight->router_count;
	view->sight = sight;
	view->used = true;
}

static void follow_policy(struct views *v, const struct snapshot *s)
{
	struct claims c = {.of = x_zalloc((s->seat_count + 1) * sizeof *c.of)};
	take_votes(v, s, &c);
	for (size_t i = 0; i < v->count; i++)
		v->list[i]->used = false;
	for (size_t i = 0; i < c.count; i++) {
		struct claim *claim = &c.list[i];
		bool is_new = !claim->view || claim->view->used;
		if (is_new)
			claim->view = view_add(v, claim->ip6_only, s->version);
		become(v, claim->view, claim->sight, s->version, is_new);
	}
	v->of = x_realloc(v->of, (s->seat_count + 1) * sizeof(struct view *));
	v->of_count = s->seat_count;
	for (uint32_t slot = 0; slot < s->seat_count; slot++)
		v->of[slot] = c.of[slot] ? c.list[c.of[slot] - 1].view : NULL;
	free(c.list);
	free(c.of);
	free(c.first);
}

/* The view of a node among those that go on; NULL: a new one, or a node that sees nobody. */
static struct view *view_by_sight(const struct views *v, const struct sight *sight, bool ip6_only)
{
	for (size_t i = 0; sight && i < v->count; i++)
		if (v->list[i]->used && v->list[i]->sight == sight && v->list[i]->ip6_only == ip6_only)
			return v->list[i];
	return NULL;
}

/* Sights stand but for these slots. False: some node needs a view that is not there. */
static bool follow_slots(struct views *v, const struct snapshot *s, const struct bitset *slots)
{
	if (s->seat_count > v->of_count) {
		v->of = x_realloc(v->of, (s->seat_count + 1) * sizeof(struct view *));
		memset(v->of + v->of_count, 0, (s->seat_count - v->of_count) * sizeof(struct view *));
		v->of_count = s->seat_count;
	}
	BITSET_EACH(slots, slot) {
		bool takes_part = snapshot_admits(s, snapshot_node(s, (uint32_t)slot));
		const struct sight *sight = takes_part ? visible_sight(v->rules->policy, (uint32_t)slot) : NULL;
		v->of[slot] = view_by_sight(v, sight, bitset_has(&v->rules->no_ip4, slot));
		if (sight && !v->of[slot])
			return false;
	}
	for (size_t i = 0; i < v->count; i++) {
		struct view *view = v->list[i];
		for (size_t slot = view->used ? bitset_next(slots, 0) : SIZE_MAX; slot != SIZE_MAX; slot = bitset_next(slots, slot + 1)) {
			if (bitset_has(&view->row, slot) == bitset_has(&view->sight->row, slot))
				continue;
			undo_push(view, v->history, s->version, (uint32_t)(slot / 64));
			if (bitset_has(&view->row, slot))
				bitset_remove(&view->row, slot);
			else
				bitset_add(&view->row, slot);
		}
	}
	return true;
}

static void leave_policy(struct views *v)
{
	for (size_t i = 0; i < v->count; i++)
		v->list[i]->used = false;
	v->of_count = 0;
}

void views_follow(struct views *v, const struct snapshot *s)
{
	enum rules_step step = rules_follow(v->rules, s);
	bool anew = step == RULES_ANEW || step == RULES_RESEEN;
	if (v->version == s->version)
		return;
	relaymap_follow(&v->rules->relays, s, v->rules->document, v->rules->read);
	if (v->rules->state == RULES_OPEN)
		follow_open(v, s);
	if (v->rules->state == RULES_COMPILED && (anew || (step == RULES_FOLLOWED && !follow_slots(v, s, &v->rules->rolled))))
		follow_policy(v, s);
	else if (anew)
		leave_policy(v);
	if (!v->version) {
		/* Nobody was told anything yet: the rows need no past. */
		v->everybody->undo_count = 0;
		v->everybody->oldest = v->everybody->rerouted.oldest = v->nobody->oldest = v->nobody->rerouted.oldest = s->version;
	}
	v->version = s->version;
	if (anew)
		views_tidy(v);
}

void views_tidy(struct views *v)
{
	size_t kept = 0;
	for (size_t i = 0; i < v->count; i++) {
		if (v->list[i]->used || v->list[i]->holders)
			v->list[kept++] = v->list[i];
		else
			view_free(v->list[i]);
	}
	v->count = kept;
}

struct view *view_of(const struct views *v, const struct snapshot *s, uint32_t slot)
{
	struct view *view = NULL;
	if (snapshot_admits(s, snapshot_node(s, slot)))
		view = v->rules->state == RULES_OPEN ? v->everybody : slot < v->of_count ? v->of[slot] : NULL;
	return view ? view : v->nobody;
}

/* ---- the past ---- */

enum err view_at(const struct view *view, uint64_t version, struct bitset *row)
{
	if (!version) {
		for (size_t i = 0; i < row->count; i++)
			row->words[i] = 0;
		return ERR_NONE;
	}
	if (version < view->oldest)
		return ERR_NO_HISTORY;
	bitset_copy(row, &view->row);
	for (size_t i = view->undo_count; i && view->undo[i - 1].version > version; i--) {
		const struct undo *undo = &view->undo[i - 1];
		if (undo->word >= row->count)
			bitset_add(row, (size_t)undo->word * 64); /* makes room; the word is set below */
		row->words[undo->word] = undo->before;
	}
	return ERR_NONE;
}

static void add_slot(void *context, uint32_t slot)
{
	bitset_add(context, slot);
}

enum err view_reshown(const struct view *told, uint64_t version, const struct view *now, const struct snapshot *s, struct bitset *slots)
{
	if (!version)
		return ERR_NONE;
	if (!moves_since(&told->rerouted, version, slots) || !moves_since(&now->rules->flips, version, slots))
		return ERR_NO_HISTORY;
	if (told == now)
		return ERR_NONE;
	if (told->ip6_only != now->ip6_only)
		bitset_or(slots, &now->row);
	if (told->open != now->open) {
		BITSET_EACH(&now->row, slot) {
			const struct node *node = snapshot_node(s, (uint32_t)slot);
			if (node && node->approved_count)
				bitset_add(slots, slot);
		}
	} else {
		compare_routers(told->routers, told->router_count, now->routers, now->router_count, add_slot, slots);
	}
	return ERR_NONE;
}

/* ---- what is shown ---- */

static size_t router_at(const struct view *view, uint32_t slot)
{
	size_t low = 0, high = view->router_count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (view->routers[middle].slot < slot)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const struct sight_router *view_router(const struct view *view, uint32_t slot)
{
	size_t at = router_at(view, slot);
	return at < view->router_count && view->routers[at].slot == slot ? &view->routers[at] : NULL;
}

static uint64_t mix(uint64_t hash, uint64_t value)
{
	hash = (hash ^ value) * UINT64_C(0x9e3779b97f4a7c15);
	return hash ^ hash >> 29;
}

uint64_t view_form(const struct view *view, uint32_t segment, uint64_t mask)
{
	uint64_t hash = mix(1 + view->open, view->ip6_only ? UINT64_MAX : bitset_word(&view->rules->no_ip4, segment) & mask);
	for (size_t i = router_at(view, segment * SEGMENT_SLOTS); i < view->router_count && view->routers[i].slot / SEGMENT_SLOTS == segment; i++) {
		const struct sight_router *router = &view->routers[i];
		if (!(mask >> router->slot % SEGMENT_SLOTS & 1))
			continue;
		hash = mix(hash, router->slot);
		for (size_t j = 0; j < router->count; j++) {
			const struct prefix *route = &router->routes[j];
			hash = mix(hash, get_be64(route->ip.byte));
			hash = mix(hash, get_be64(route->ip.byte + 8));
			hash = mix(hash, (uint64_t)route->ip.family << 8 | route->bits);
		}
	}
	return hash;
}
