#include "following.h"

#include <stdlib.h>

#include "aliasnode.h"
#include "rollcall.h"
#include "route.h"
#include "source.h"
#include "spanedit.h"
#include "sshplan.h"
#include "twin.h"

/* More candidates than this are not asked; and garbage of this size is nothing. */
enum { CANDIDATES_MAX = 256, FEW = 64, GARBAGE = 1 << 16, GARBAGE_MAX = 64 << 20 };

/* ---- twins ---- */

struct ip following_ip(const struct resolver *r, uint32_t slot, size_t family)
{
	uint32_t at = r->entry[slot * 2 + family];
	return at == ADDRESS_NONE ? (struct ip){0} : r->addresses[at].ip;
}

static bool same_place(const struct spans spans, struct ip a, struct ip b)
{
	if (a.family == IP_NONE || b.family == IP_NONE)
		return a.family == b.family;
	return spans_has(spans, a) == spans_has(spans, b);
}

/* Whether both addresses lie in the same address aliases as those of the node at hand. */
static bool same_places(const struct following *f, uint32_t twin)
{
	const struct resolver *r = f->r;
	struct ip ip[2] = {following_ip(r, twin, 0), following_ip(r, twin, 1)};
	if (ip[0].family != f->ip[0].family || ip[1].family != f->ip[1].family)
		return false;
	for (size_t i = 0; i < r->known_count; i++) {
		const struct known *known = r->knowns[i];
		if (!known->identity && (!same_place(known->meaning.spans, ip[0], f->ip[0]) || !same_place(known->meaning.spans, ip[1], f->ip[1])))
			return false;
	}
	return true;
}

static bool same_postures(const struct following *f, uint32_t twin)
{
	const struct policy *policy = f->policy;
	for (size_t i = 0; i < policy->document->posture_count; i++) {
		const struct bitset *nodes = f->r->postures[i];
		if (nodes && bitset_has(nodes, twin) != posture_holds(&policy->document->postures[i], &policy->roll->nodes[f->slot]))
			return false;
	}
	return true;
}

static bool may_be_twin(const struct following *f, uint32_t slot)
{
	const struct resolver *r = f->r;
	for (size_t k = 0; k < 2; k++)
		if (r->entry[slot * 2 + k] != ADDRESS_NONE && bitset_has(&r->behind, r->entry[slot * 2 + k]))
			return false;
	return slot != f->slot && bitset_has(&r->all, slot) && !bitset_has(&f->later, slot) && !bitset_has(&r->routing, slot) &&
	       !bitset_has(&f->policy->exits, slot);
}

/* What names a user's node names them all: no alias needs to be asked. */
static uint32_t sibling_twin(const struct following *f, uint64_t owner)
{
	size_t asked = 0;
	for (uint32_t i = 0; i < f->policy->roll->node_count && asked < CANDIDATES_MAX; i++) {
		if (f->r->owner[i] != owner || !may_be_twin(f, i))
			continue;
		asked++;
		if (same_places(f, i) && same_postures(f, i))
			return i;
	}
	return NO_TWIN;
}

/* Who is named by the same identity aliases as `in` says. */
static void find_same(struct following *f, bool tagged)
{
	const struct resolver *r = f->r;
	bitset_copy(&f->twins, tagged ? &f->policy->tagged : &r->members);
	bitset_minus(&f->twins, &f->later);
	bitset_minus(&f->twins, &r->routing);
	bitset_minus(&f->twins, &f->policy->exits);
	bitset_remove(&f->twins, f->slot);
	for (size_t i = 0; i < r->known_count; i++)
		if (bitset_has(&f->in, i))
			bitset_and(&f->twins, &r->knowns[i]->own);
}

/* A few are asked one by one. */
static void drop_others(struct following *f, bool leaving)
{
	const struct resolver *r = f->r;
	bool few = bitset_population(&f->twins) <= FEW;
	for (size_t i = 0; i < r->known_count; i++) {
		const struct known *known = r->knowns[i];
		if (bitset_has(&f->in, i) || !known->identity || !(known->alias || leaving))
			continue;
		if (!few) {
			bitset_minus(&f->twins, &known->own);
			continue;
		}
		BITSET_EACH(&f->twins, slot) {
			if (bitset_has(&known->own, slot))
				bitset_remove(&f->twins, slot);
		}
	}
}

static uint32_t choose(const struct following *f, uint64_t owner, bool leaving)
{
	size_t asked = 0;
	BITSET_EACH(&f->twins, slot) {
		uint32_t twin = (uint32_t)slot;
		bool same = true;
		if (!may_be_twin(f, twin) || (f->r->by_user && f->r->owner[twin] != owner))
			continue;
		for (size_t i = 0; leaving && same && i < f->policy->document->posture_count; i++)
			same = !f->r->postures[i] || bitset_has(f->r->postures[i], twin) == bitset_has(f->r->postures[i], f->slot);
		if (same && same_places(f, twin) && (leaving || same_postures(f, twin)))
			return twin;
		if (++asked == CANDIDATES_MAX)
			break;
	}
	return NO_TWIN;
}

void following_ask(struct following *f, const struct node *node)
{
	const struct policy *policy = f->policy;
	for (size_t i = 0; i < f->r->known_count; i++) {
		const struct known *known = f->r->knowns[i];
		if (known->identity && known->alias && alias_names(policy->document, policy->roll, known->alias, node))
			bitset_add(&f->in, i);
	}
}

static uint32_t twin_of_newcomer(struct following *f, const struct node *node)
{
	bool tagged = node_is_tagged(node);
	uint32_t twin = tagged ? NO_TWIN : sibling_twin(f, node->user);
	if (twin != NO_TWIN)
		return twin;
	bitset_clear(&f->in);
	following_ask(f, node);
	find_same(f, tagged);
	drop_others(f, false);
	return choose(f, tagged ? NO_OWNER : node->user, false);
}

static uint32_t twin_of_leaver(struct following *f)
{
	const struct resolver *r = f->r;
	bitset_clear(&f->in);
	for (size_t i = 0; i < r->known_count; i++)
		if (r->knowns[i]->identity && bitset_has(&r->knowns[i]->own, f->slot))
			bitset_add(&f->in, i);
	find_same(f, bitset_has(&f->policy->tagged, f->slot));
	drop_others(f, true);
	return choose(f, r->owner[f->slot], true);
}

/* ---- addresses ---- */

static void shift(uint64_t *words, size_t count, size_t from, bool up)
{
	size_t word = from / 64;
	uint64_t low = (UINT64_C(1) << (from % 64)) - 1, kept = words[word] & low;
	if (up) {
		for (size_t i = count; i-- > word + 1;)
			words[i] = words[i] << 1 | words[i - 1] >> 63;
		words[word] = kept | (words[word] & ~low) << 1;
		return;
	}
	words[word] = kept | (words[word] >> 1 & ~low);
	for (size_t i = word; i < count; i++) {
		if (i > word)
			words[i] >>= 1;
		if (i + 1 < count)
			words[i] |= words[i + 1] << 63;
	}
}

static void renumber(struct resolver *r, uint32_t from, bool up)
{
	for (size_t i = 0; i < r->policy->roll->node_count * 2; i++)
		if (r->entry[i] >= from && r->entry[i] != ADDRESS_NONE)
			r->entry[i] += up ? 1 : UINT32_MAX;
}

static void look_at_neighbours(struct resolver *r, size_t at)
{
	if (at >= r->address_count)
		return;
	bool follows = at && r->addresses[at - 1].ip.family == r->addresses[at].ip.family &&
		       (ip_equal(r->addresses[at - 1].ip, r->addresses[at].ip) || ip_equal(ip_add(r->addresses[at - 1].ip, 1), r->addresses[at].ip));
	if (follows)
		bitset_add(&r->follows, at);
	else
		bitset_remove(&r->follows, at);
}

void following_put(struct resolver *r, uint32_t slot, struct ip ip)
{
	if (ip.family == IP_NONE)
		return;
	size_t at = address_from(r, ip);
	memmove(r->addresses + at + 1, r->addresses + at, (r->address_count++ - at) * sizeof *r->addresses);
	r->addresses[at] = (struct address){.ip = ip, .slot = slot, .text = rollcall_text(r, ip)};
	renumber(r, (uint32_t)at, true);
	r->entry[slot * 2 + (ip.family == IP_V6)] = (uint32_t)at;
	shift(r->follows.words, r->mark_words, at, true);
	shift(r->behind.words, r->mark_words, at, true);
	bitset_remove(&r->behind, at);
	look_at_neighbours(r, at);
	look_at_neighbours(r, at + 1);
}

void following_take(struct resolver *r, uint32_t slot, struct ip ip)
{
	if (ip.family == IP_NONE)
		return;
	size_t at = r->entry[slot * 2 + (ip.family == IP_V6)];
	memmove(r->addresses + at, r->addresses + at + 1, (--r->address_count - at) * sizeof *r->addresses);
	r->entry[slot * 2 + (ip.family == IP_V6)] = ADDRESS_NONE;
	renumber(r, (uint32_t)at, false);
	shift(r->follows.words, r->mark_words, at, false);
	shift(r->behind.words, r->mark_words, at, false);
	look_at_neighbours(r, at);
}

/* ---- joins and leaves ---- */

/* Sets of addresses that have the node by name. */
static void edit_spans(struct following *f, bool put)
{
	struct resolver *r = f->r;
	struct span_edit (*const edit)(struct spans *, size_t *, struct ip) = put ? spans_put : spans_take;
	bool (*const edit_source)(struct resolver *, struct source *, struct ip) = put ? source_put : source_take;
	for (size_t i = 0; i < r->known_count; i++) {
		struct known *known = r->knowns[i];
		for (size_t k = 0; known->identity && bitset_has(&known->own, f->slot) && k < 2; k++)
			if (f->ip[k].family != IP_NONE)
				(void)edit(&known->meaning.spans, &known->room, f->ip[k]);
	}
	for (size_t i = 0; i < f->policy->source_count; i++) {
		struct source *source = f->policy->sources[i];
		if (!source_has_node(source, f->slot))
			continue;
		bool other = edit_source(r, source, f->ip[0]);
		other = edit_source(r, source, f->ip[1]) || other;
		if (other)
			bitset_add(&f->sources, i);
	}
}

static void stand_as(struct following *f, uint32_t twin)
{
	struct resolver *r = f->r;
	for (size_t i = 0; i < r->set_count; i++)
		set_stand_as(r->sets[i], f->slot, twin);
	visible_stand_as(f->policy, f->slot, twin);
	attrs_stand_as(f->policy, f->slot, twin);
	ssh_plan_stand_as(f->policy, f->slot, twin);
}

bool following_is_alone(const struct resolver *r, uint32_t slot, size_t family)
{
	uint32_t at = r->entry[slot * 2 + family];
	if (at == ADDRESS_NONE)
		return true;
	struct ip ip = r->addresses[at].ip;
	bool twice = (at && ip_equal(r->addresses[at - 1].ip, ip)) || (at + 1 < r->address_count && ip_equal(r->addresses[at + 1].ip, ip));
	return !twice && !bitset_has(&r->behind, at);
}

static bool leave(struct following *f)
{
	struct resolver *r = f->r;
	f->ip[0] = following_ip(r, f->slot, 0);
	f->ip[1] = following_ip(r, f->slot, 1);
	if (!following_is_alone(r, f->slot, 0) || !following_is_alone(r, f->slot, 1))
		return false;
	if (twin_of_leaver(f) == NO_TWIN)
		return false;
	ssh_plan_touch(f->policy, f->slot, &f->touched->ssh);
	edit_spans(f, false);
	following_take(r, f->slot, f->ip[0]);
	following_take(r, f->slot, f->ip[1]);
	stand_as(f, NO_TWIN);
	r->owner[f->slot] = NO_OWNER;
	return true;
}

bool following_is_free(const struct resolver *r, struct ip ip)
{
	size_t at = address_from(r, ip);
	return ip.family == IP_NONE || (!rollcall_is_behind(r, ip) && (at == r->address_count || !ip_equal(r->addresses[at].ip, ip)));
}

static bool join(struct following *f)
{
	struct resolver *r = f->r;
	const struct node *node = f->policy->roll->nodes[f->slot].node;
	f->ip[0] = node->ip4.family == IP_V4 ? node->ip4 : (struct ip){0};
	f->ip[1] = node->ip6.family == IP_V6 ? node->ip6 : (struct ip){0};
	if (node->approved_count || !following_is_free(r, f->ip[0]) || !following_is_free(r, f->ip[1]))
		return false;
	uint32_t twin = twin_of_newcomer(f, node);
	if (twin == NO_TWIN)
		return false;
	stand_as(f, twin);
	r->owner[f->slot] = node_is_tagged(node) ? NO_OWNER : node->user;
	following_put(r, f->slot, f->ip[0]);
	following_put(r, f->slot, f->ip[1]);
	edit_spans(f, true);
	ssh_plan_touch(f->policy, f->slot, &f->touched->ssh);
	return true;
}

/* ---- what that touches ---- */

/* As filter.c decides which units a node needs, or a few more. */
static void touch_filters(struct following *f)
{
	const struct policy *policy = f->policy;
	if (!bitset_any(&f->sources))
		return;
	for (size_t i = 0; i < policy->unit_count; i++) {
		const struct unit *unit = &policy->units[i];
		bool leads_out = false;
		if (!bitset_has(&f->sources, unit->source->number))
			continue;
		bitset_or(&f->touched->filters, &unit->nodes);
		for (size_t k = 0; k < unit->dst_count; k++)
			leads_out = leads_out || !known_from(unit->dst[k].meaning)->identity;
		if (leads_out)
			bitset_or(&f->touched->filters, &policy->exits);
	}
}

/* Its row is another one, but no alias and no posture tells it from the old one. */
static bool stands_still(struct following *f, const struct node *node)
{
	const struct resolver *r = f->r;
	const struct policy *policy = f->policy;
	bool tagged = node_is_tagged(node), still = tagged == bitset_has(&policy->tagged, f->slot);
	struct ip ip4 = following_ip(r, f->slot, 0), ip6 = following_ip(r, f->slot, 1);
	still = still && (tagged || r->owner[f->slot] == node->user) && !node->approved_count && ip_equal(ip4, node->ip4) && ip_equal(ip6, node->ip6);
	for (size_t i = 0; i < policy->document->posture_count && still; i++)
		still = !r->postures[i] || bitset_has(r->postures[i], f->slot) == posture_holds(&policy->document->postures[i], &policy->roll->nodes[f->slot]);
	for (size_t i = 0; i < r->known_count && still; i++) {
		const struct known *known = r->knowns[i];
		if (known->identity && known->alias)
			still = bitset_has(&known->own, f->slot) == alias_names(policy->document, policy->roll, known->alias, node);
	}
	return still;
}

/* There is no old row to compare with: a node that changed leaves, and joins. */
static bool follow_slot(struct following *f)
{
	const struct node *node = f->policy->roll->nodes[f->slot].node;
	bool was = bitset_has(&f->r->all, f->slot);
	if (was && node && stands_still(f, node)) {
		ssh_plan_touch(f->policy, f->slot, &f->touched->ssh); /* counts the node's tags */
		return true;
	}
	if (was && !leave(f))
		return following_move(f);
	return !node || join(f) || following_move(f);
}

/* Sources that became equal would be one, and their rules too. */
static bool are_apart(const struct following *f)
{
	const struct policy *policy = f->policy;
	BITSET_EACH(&f->sources, number) {
		for (size_t i = 0; i < policy->source_count; i++)
			if (i != number && source_equal(policy->sources[i], policy->sources[number]))
				return false;
	}
	return true;
}

/* Of routers and exit nodes others ask for the rows, so none may be another one already. */
static bool leads_on(const struct policy *policy, const uint32_t *slots, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (bitset_has(&policy->resolver->routing, slots[i]) || bitset_has(&policy->exits, slots[i]))
			return true;
	return false;
}

static bool can_follow(struct resolver *r)
{
	size_t size = arena_size(r->arena);
	if (!r->first_size)
		r->first_size = size;
	size_t garbage = r->first_size < GARBAGE_MAX ? r->first_size : GARBAGE_MAX;
	return !r->fixed && r->policy->roll->node_count <= r->slots && size <= r->first_size + garbage + GARBAGE;
}

bool policy_follow(struct policy *policy, const uint32_t *slots, size_t count, struct touched *touched)
{
	struct following f = {.policy = policy, .r = policy->resolver, .touched = touched};
	bool followed = can_follow(f.r) && !leads_on(policy, slots, count);
	f.r->stale = true;
	f.r->ranked = false;
	f.r->column_word = SIZE_MAX;
	for (size_t i = 0; i < count; i++)
		bitset_add(&f.later, slots[i]);
	for (size_t i = 0; followed && i < count; i++) {
		f.slot = slots[i];
		bitset_remove(&f.later, f.slot);
		followed = follow_slot(&f);
	}
	followed = followed && (!touched->sights || are_apart(&f));
	if (followed)
		touch_filters(&f);
	bitset_clear(&f.later);
	bitset_clear(&f.in);
	bitset_clear(&f.twins);
	bitset_clear(&f.sources);
	return followed;
}
