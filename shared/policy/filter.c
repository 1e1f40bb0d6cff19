#include "filter.h"

#include <stdlib.h>

#include "narrow.h"
#include "reach.h"

/* An entry of DstPorts on its way into the rule of its group. */
struct entry {
	uint32_t group;
	struct filter_dst dst;
};

/* Units that merge, or one with CapGrant. */
struct merged {
	uint32_t position; /* number of the unit at whose place the rule stands */
	struct filter_rule rule;
};

struct filtering {
	struct policy *policy;
	struct arena *arena;
	struct narrow narrow;
	struct entry *entries;
	size_t entry_count, entry_room;
	struct merged *groups;
	size_t group_count, group_room;
};

static uint32_t group_add(struct filtering *f, const struct unit *unit, uint32_t position)
{
	if (f->group_count == f->group_room) {
		f->group_room = f->group_room ? f->group_room * 2 : 16;
		f->groups = x_realloc(f->groups, f->group_room * sizeof *f->groups);
	}
	source_texts(f->policy->resolver, unit->source);
	f->groups[f->group_count] = (struct merged){position, {.source = unit->source, .proto = unit->proto}};
	return (uint32_t)f->group_count++;
}

/* The rule stands where the first of its units does that is in this node's list, even if nothing of that one is left. */
static uint32_t group_of(struct filtering *f, const struct unit *unit)
{
	uint32_t *known = &f->policy->resolver->scratch[unit->merged];
	uint32_t number = (uint32_t)(unit - f->policy->units);
	if (!*known)
		*known = group_add(f, unit, unit->common < number ? unit->common : number) + 1;
	return *known - 1;
}

static void entry_add(struct filtering *f, uint32_t group, struct bytes ip, struct port_range ports)
{
	if (f->entry_count == f->entry_room) {
		f->entry_room = f->entry_room ? f->entry_room * 2 : 64;
		f->entries = x_realloc(f->entries, f->entry_room * sizeof *f->entries);
	}
	f->entries[f->entry_count++] = (struct entry){group, {ip, ports}};
}

static void add_ports(struct filtering *f, const struct unit *unit)
{
	struct narrow *n = &f->narrow;
	for (size_t i = 0; i < unit->dst_count; i++) {
		const struct unit_dst *dst = &unit->dst[i];
		struct known *known = known_from(dst->meaning);
		if (known->meaning.any && !unit->via) {
			uint32_t group = group_of(f, unit);
			for (size_t k = 0; k < dst->port_count; k++)
				entry_add(f, group, BYTES("*"), dst->ports[k]);
			continue;
		}
		narrow_ports(n, known, unit->via);
		for (size_t at = 0; at < n->count; at++) {
			uint32_t group = group_of(f, unit);
			for (size_t k = 0; k < dst->port_count; k++)
				entry_add(f, group, narrow_text(n, known, n->kept[at]), dst->ports[k]);
		}
	}
}

static void add_app(struct filtering *f, const struct unit *unit)
{
	struct narrow *n = &f->narrow;
	struct filter_grant *grants = ARENA_ARRAY(f->arena, struct filter_grant, unit->companion ? 1 : unit->dst_count);
	size_t count = 0;
	n->prefix_count = 0;
	for (size_t i = 0; i < unit->dst_count; i++) {
		narrow_app(n, known_from(unit->dst[i].meaning));
		if ((unit->companion && i + 1 < unit->dst_count) || !n->prefix_count)
			continue;
		struct filter_grant *grant = &grants[count++];
		*grant = (struct filter_grant){.app = unit->app, .app_count = unit->app_count};
		grant->dst_count = narrow_take(n, f->arena, &grant->dsts);
	}
	if (!count)
		return;
	uint32_t group = group_add(f, unit, (uint32_t)(unit - f->policy->units));
	f->groups[group].rule.grants = grants;
	f->groups[group].rule.grant_count = count;
}

static void add_unit(struct filtering *f, const struct unit *unit)
{
	if (!unit->app)
		add_ports(f, unit);
	else if (!unit->via)
		add_app(f, unit);
}

static int by_position(const void *a, const void *b)
{
	const struct merged *x = a, *y = b;
	return (x->position > y->position) - (x->position < y->position);
}

static struct filter finish(struct filtering *f)
{
	struct filter filter = {ARENA_ARRAY(f->arena, struct filter_rule, f->group_count), f->group_count};
	struct filter_dst *room = ARENA_ARRAY(f->arena, struct filter_dst, f->entry_count);
	for (size_t i = 0; i < f->entry_count; i++)
		f->groups[f->entries[i].group].rule.dst_count++;
	for (size_t i = 0; i < f->group_count; i++) {
		struct filter_rule *rule = &f->groups[i].rule;
		rule->dst = room;
		room += rule->dst_count;
		rule->dst_count = 0;
	}
	for (size_t i = 0; i < f->entry_count; i++) {
		struct filter_rule *rule = &f->groups[f->entries[i].group].rule;
		rule->dst[rule->dst_count++] = f->entries[i].dst;
	}
	if (f->group_count)
		qsort(f->groups, f->group_count, sizeof *f->groups, by_position);
	for (size_t i = 0; i < f->group_count; i++) {
		filter.rules[i] = f->groups[i].rule;
		if (!filter.rules[i].dst_count)
			filter.rules[i].dst = NULL;
	}
	free(f->entries);
	free(f->groups);
	narrow_clear(&f->narrow);
	return filter;
}

static void begin(struct filtering *f, struct policy *policy, struct arena *arena, uint32_t slot, bool all)
{
	struct resolver *r = policy->resolver;
	*f = (struct filtering){.policy = policy, .arena = arena};
	narrow_init(&f->narrow, r, slot, all);
	if (!r->scratch)
		r->scratch = x_zalloc((policy->unit_count + 1) * sizeof *r->scratch);
}

static void forget_groups(struct filtering *f, const uint32_t *units, size_t count)
{
	for (size_t i = 0; i < count; i++)
		f->policy->resolver->scratch[f->policy->units[units[i]].merged] = 0;
}

/* Words of all units that hold this slot lie together: neighbours are asked one after the other. */
static const uint64_t *column_of(struct policy *policy, uint32_t slot)
{
	struct resolver *r = policy->resolver;
	if (!r->column)
		r->column = x_alloc((policy->unit_count + 1) * sizeof *r->column);
	if (r->column_word != slot / 64)
		for (size_t i = 0; i < policy->unit_count; i++)
			r->column[i] = bitset_word(&policy->units[i].nodes, slot / 64);
	r->column_word = slot / 64;
	return r->column;
}

/* An exit node also gets what leads into the Internet. */
static bool may_lead_out(const struct unit *unit)
{
	bool leads = false;
	for (size_t i = 0; i < unit->dst_count && !leads; i++)
		leads = !known_from(unit->dst[i].meaning)->identity;
	return leads && !unit->app && !unit->via;
}

static bool applies(const struct unit *unit, const uint64_t *column, size_t number, const struct narrow *n)
{
	if (column[number] >> (n->slot % 64) & 1)
		return true;
	if (n->all)
		return unit->self_of == UINT32_MAX && !unit->via;
	return n->is_exit && may_lead_out(unit);
}

static struct filter filter_make(struct policy *policy, struct arena *arena, uint32_t slot, bool all)
{
	struct filtering f;
	if (slot >= policy->roll->node_count || !policy->roll->nodes[slot].node)
		return (struct filter){0};
	begin(&f, policy, arena, slot, all);
	const uint64_t *column = column_of(policy, slot);
	uint32_t *units = x_alloc((policy->unit_count + 1) * sizeof *units);
	size_t count = 0;
	for (size_t i = 0; i < policy->unit_count; i++)
		if (applies(&policy->units[i], column, i, &f.narrow) && reach_is_mine(policy, &policy->units[i], slot))
			units[count++] = (uint32_t)i;
	for (size_t i = 0; i < count; i++)
		add_unit(&f, &policy->units[units[i]]);
	forget_groups(&f, units, count);
	free(units);
	return finish(&f);
}

struct filter filter_of(struct policy *policy, struct arena *arena, uint32_t slot)
{
	return filter_make(policy, arena, slot, false);
}

struct filter filter_unreduced(struct policy *policy, struct arena *arena, uint32_t slot)
{
	return filter_make(policy, arena, slot, true);
}
