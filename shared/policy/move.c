#include "following.h"

#include <stdlib.h>

#include "aliasnode.h"
#include "source.h"
#include "spanedit.h"
#include "sshplan.h"
#include "twin.h"

/* One node on its way from where it stood to where it stands. */
struct moving {
	struct following *f;
	const struct node *node;
	struct bitset was, is; /* numbers of the names that it had and has */
	struct ip old[2], now[2];
	bool moved[2]; /* other address */
};

static void set_bit(struct bitset *set, uint32_t slot, bool on)
{
	if (slot / 64 >= set->count)
		return;
	if (on)
		set->words[slot / 64] |= UINT64_C(1) << (slot % 64);
	else
		set->words[slot / 64] &= ~(UINT64_C(1) << (slot % 64));
}

static bool satisfies(const struct moving *m, const struct rule *rule)
{
	const struct policy *policy = m->f->policy;
	for (size_t i = 0; i < rule->posture_count; i++)
		if (posture_holds(&policy->document->postures[rule->postures[i]], &policy->roll->nodes[m->f->slot]))
			return true;
	return false;
}

/* Sets of some nodes of a user stay: see stays_itself. */
static void find_names(struct moving *m)
{
	const struct resolver *r = m->f->r;
	bitset_clear(&m->f->in);
	if (m->node)
		following_ask(m->f, m->node);
	bitset_copy(&m->is, &m->f->in);
	for (size_t i = 0; i < r->known_count; i++) {
		const struct known *known = r->knowns[i];
		bool had = known->identity && bitset_has(&known->own, m->f->slot);
		if (had)
			bitset_add(&m->was, i);
		if (known->alias || !known->identity || !m->node)
			continue;
		bool has = known->whole ? (known->whole->meaning.any || bitset_has(&m->is, known->whole->number)) && satisfies(m, known->rule) : had;
		if (has)
			bitset_add(&m->is, i);
	}
}

static void find_addresses(struct moving *m)
{
	const struct node *node = m->node;
	for (size_t k = 0; k < 2; k++)
		m->old[k] = following_ip(m->f->r, m->f->slot, k);
	if (node && node->ip4.family == IP_V4)
		m->now[0] = node->ip4;
	if (node && node->ip6.family == IP_V6)
		m->now[1] = node->ip6;
	for (size_t k = 0; k < 2; k++)
		m->moved[k] = !ip_equal(m->old[k], m->now[k]);
}

/* Rules that are for each user alone have units of its nodes: their list must not change. */
static bool stays_itself(const struct moving *m)
{
	const struct resolver *r = m->f->r;
	if (!r->by_user)
		return true;
	if (!m->node || !bitset_has(&r->all, m->f->slot) || node_is_tagged(m->node) != bitset_has(&m->f->policy->tagged, m->f->slot))
		return false;
	if (!node_is_tagged(m->node) && r->owner[m->f->slot] != m->node->user)
		return false;
	for (size_t i = 0; i < r->self_source_count; i++) {
		const struct source *source = r->self_sources[i];
		if (m->moved[0] || m->moved[1] || source_names(source, &m->was) != source_names(source, &m->is))
			return false;
	}
	return true;
}

/* Whether lists of aliases that were one source are that no more. */
static bool parts_some(const struct moving *m)
{
	const struct policy *policy = m->f->policy;
	for (size_t i = 0; i < policy->source_count; i++)
		if (source_parts(policy->sources[i], &m->is, m->now))
			return true;
	return false;
}

static bool may_move(const struct moving *m)
{
	const struct resolver *r = m->f->r;
	if (m->node && m->node->approved_count)
		return false;
	for (size_t k = 0; k < 2; k++)
		if (m->moved[k] && (!following_is_alone(r, m->f->slot, k) || !following_is_free(r, m->now[k])))
			return false;
	return following_is_alone(r, m->f->slot, 0) && following_is_alone(r, m->f->slot, 1) && stays_itself(m) && !parts_some(m);
}

/* ---- addresses of names and sources ---- */

static unsigned families(struct spans spans)
{
	return spans.count ? 1U << spans.list[0].first.family | 1U << spans.list[spans.count - 1].first.family : 0;
}

/* Whether who had the name loses an address there (put: who has it gets one). */
static bool is_edited(const struct moving *m, bool was, bool is, size_t family, bool put)
{
	return put ? is && (!was || m->moved[family]) : was && (!is || m->moved[family]);
}

/* Names that gain or lose a family would change which routes overlap them. */
static bool edit_names(struct moving *m, size_t family, bool put)
{
	struct resolver *r = m->f->r;
	struct ip ip = put ? m->now[family] : m->old[family];
	for (size_t i = 0; i < r->known_count; i++) {
		struct known *known = r->knowns[i];
		if (!known->identity || !is_edited(m, bitset_has(&m->was, i), bitset_has(&m->is, i), family, put))
			continue;
		unsigned had = families(known->meaning.spans);
		(void)(put ? spans_put(&known->meaning.spans, &known->room, ip) : spans_take(&known->meaning.spans, &known->room, ip));
		if (families(known->meaning.spans) != had)
			return false;
	}
	return true;
}

static bool edit_addresses(struct moving *m, size_t family, bool put)
{
	const struct policy *policy = m->f->policy;
	struct ip ip = put ? m->now[family] : m->old[family];
	if (ip.family == IP_NONE)
		return true;
	if (!edit_names(m, family, put))
		return false;
	for (size_t i = 0; i < policy->source_count; i++) {
		struct source *source = policy->sources[i];
		if (!is_edited(m, source_names(source, &m->was), source_names(source, &m->is), family, put))
			continue;
		bool other = put ? source_put(m->f->r, source, ip) : source_take(m->f->r, source, ip);
		if (other)
			bitset_add(&m->f->sources, i);
	}
	return true;
}

static void renumber(struct moving *m)
{
	for (size_t k = 0; k < 2; k++)
		if (m->moved[k])
			following_take(m->f->r, m->f->slot, m->old[k]);
	for (size_t k = 0; k < 2; k++)
		if (m->moved[k])
			following_put(m->f->r, m->f->slot, m->now[k]);
}

/* ---- sets of slots ---- */

static bool lies_in(const struct moving *m, struct spans spans)
{
	return (m->now[0].family != IP_NONE && spans_has(spans, m->now[0])) || (m->now[1].family != IP_NONE && spans_has(spans, m->now[1]));
}

static void set_roll(struct moving *m)
{
	struct resolver *r = m->f->r;
	uint32_t slot = m->f->slot;
	bool tagged = m->node && node_is_tagged(m->node);
	set_bit(&r->all, slot, m->node);
	set_bit(&r->members, slot, m->node && !tagged);
	set_bit(&m->f->policy->tagged, slot, tagged);
	r->owner[slot] = m->node && !tagged ? m->node->user : NO_OWNER;
	for (size_t i = 0; i < m->f->policy->document->posture_count; i++)
		if (r->postures[i])
			set_bit(r->postures[i], slot, m->node && posture_holds(&m->f->policy->document->postures[i], &m->f->policy->roll->nodes[slot]));
	for (size_t i = 0; i < r->known_count; i++) {
		struct known *known = r->knowns[i];
		bool in = known->identity ? bitset_has(&m->is, i) : lies_in(m, known->meaning.spans);
		set_bit(&known->own, slot, in);
		if (known->identity)
			set_bit(&known->meaning.nodes, slot, in);
	}
}

static bool is_target(const struct moving *m, const struct unit *unit)
{
	for (size_t i = 0; i < unit->dst_count; i++) {
		const struct known *known = known_from(unit->dst[i].meaning);
		if (known->meaning.any && !unit->app ? m->node != NULL : bitset_has(&known->own, m->f->slot))
			return true;
	}
	return false;
}

/* It serves no route: where routers count, it does not. */
static void set_rules(struct moving *m)
{
	const struct policy *policy = m->f->policy;
	for (size_t i = 0; i < policy->source_count; i++) {
		struct source *source = policy->sources[i];
		bool in = source->everything ? m->node != NULL : source_holds(source, m->f->slot);
		set_bit(&source->own, m->f->slot, in);
		set_bit(&source->nodes, m->f->slot, in);
	}
	for (size_t i = 0; i < policy->unit_count; i++)
		if (policy->units[i].self_of == UINT32_MAX && !policy->units[i].via)
			set_bit(&policy->units[i].nodes, m->f->slot, is_target(m, &policy->units[i]));
}

static bool move(struct moving *m)
{
	struct policy *policy = m->f->policy;
	bool kept = true;
	ssh_plan_touch(policy, m->f->slot, &m->f->touched->ssh);
	for (size_t k = 0; k < 2 && kept; k++)
		kept = edit_addresses(m, k, false);
	for (size_t k = 0; k < 2 && kept; k++)
		kept = edit_addresses(m, k, true);
	if (!kept)
		return false;
	renumber(m);
	set_roll(m);
	set_rules(m);
	visible_move(policy, m->f->slot);
	attrs_move(policy);
	ssh_plan_move(policy, m->f->slot);
	ssh_plan_touch(policy, m->f->slot, &m->f->touched->ssh);
	m->f->touched->sights = true;
	return true;
}

bool following_move(struct following *f)
{
	struct moving m = {.f = f, .node = f->policy->roll->nodes[f->slot].node};
	find_names(&m);
	find_addresses(&m);
	bool moved = may_move(&m) && move(&m);
	bitset_clear(&m.was);
	bitset_clear(&m.is);
	return moved;
}
