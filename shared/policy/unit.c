#include "unit.h"

#include <stdlib.h>

static const struct capability sharer = {BYTES("tailscale.com/cap/drive-sharer"), BYTES("null")};
static const struct capability relay_target = {BYTES("tailscale.com/cap/relay-target"), BYTES("null")};

/* One rule while its units are made. */
struct making {
	struct policy *policy;
	struct resolver *r;
	const struct rule *rule;
	struct known **src; /* its sources; then room for destinations as sources */
	size_t src_count;
	struct known **dst; /* per target */
	struct known **room;
	struct source *source;
	size_t unit_room;
	struct table *merge; /* (source, protocol) -> 1 + number of the first unit */
};

static struct unit *unit_add(struct making *m, struct unit unit)
{
	struct policy *policy = m->policy;
	if (policy->unit_count == m->unit_room) {
		m->unit_room = m->unit_room ? m->unit_room * 2 : 64;
		policy->units = x_realloc(policy->units, m->unit_room * sizeof *policy->units);
	}
	unit.merged = unit.common = (uint32_t)policy->unit_count;
	policy->units[policy->unit_count] = unit;
	return &policy->units[policy->unit_count++];
}

static bool stands_everywhere(const struct unit *unit)
{
	return unit->self_of == UINT32_MAX && !unit->via;
}

/* Units of equal source and protocol: each knows the first of them. */
static void merge_in(struct making *m, struct unit *unit)
{
	uint32_t number = (uint32_t)(unit - m->policy->units);
	uint32_t key[2] = {unit->source->number, (uint32_t)unit->proto};
	size_t first = (size_t)(uintptr_t)table_find(m->merge, bytes_of(key, sizeof key));
	if (!first)
		table_put(m->merge, bytes_of(key, sizeof key), (void *)(uintptr_t)(number + 1u));
	unit->merged = first ? (uint32_t)(first - 1) : number;
	struct unit *head = &m->policy->units[unit->merged];
	if (head == unit)
		unit->common = stands_everywhere(unit) ? number : UINT32_MAX;
	else if (head->common == UINT32_MAX && stands_everywhere(unit))
		head->common = number;
}

/* common of all that merge is that of the first. */
static void spread_common(struct policy *policy)
{
	for (size_t i = 0; i < policy->unit_count; i++)
		policy->units[i].common = policy->units[policy->units[i].merged].common;
}

static struct span whole(int family)
{
	struct ip zero = {.family = (uint8_t)family};
	return span_of((struct prefix){zero, 0});
}

static bool all_covered(struct spans spans)
{
	if (spans_covers(spans, whole(IP_V4)) || spans_covers(spans, whole(IP_V6)))
		return true;
	for (size_t i = 0; i < spans_internet().count; i++)
		if (!spans_covers(spans, spans_internet().list[i]))
			return false;
	return true;
}

/* Only wide aliases can make up a family or the Internet, so only theirs are joined. */
static bool covers_internet(struct making *m, const struct unit *unit)
{
	struct spans sum = {0};
	bool wide = false;
	for (size_t i = 0; i < unit->dst_count; i++) {
		const struct meaning *meaning = unit->dst[i].meaning;
		if (meaning->internet || (meaning->any && !unit->app))
			return true;
		wide = wide || known_from(meaning)->wide;
	}
	for (size_t i = 0; wide && i < unit->dst_count; i++) {
		const struct known *known = known_from(unit->dst[i].meaning);
		if (!known->identity && !known->meaning.any)
			sum = spans_union(m->r->arena, sum, known->meaning.spans);
	}
	return wide && all_covered(sum);
}

static void find_nodes(struct making *m, struct unit *unit)
{
	unit->covers_internet = covers_internet(m, unit);
	const struct known *only = unit->dst_count == 1 ? known_from(unit->dst[0].meaning) : NULL;
	if (only && only->identity && !only->routers.count) {
		unit->nodes = only->own;
		return;
	}
	if (only && only->meaning.any && !unit->app) {
		unit->nodes = m->r->all;
		return;
	}
	unit->nodes = set_new(m->r);
	for (size_t i = 0; i < unit->dst_count; i++) {
		const struct known *known = known_from(unit->dst[i].meaning);
		bool any = known->meaning.any;
		bitset_or(&unit->nodes, any && !unit->app ? &m->r->all : &known->own);
		if (!any)
			bitset_or(&unit->nodes, &known->routers);
	}
	if (unit->covers_internet)
		bitset_or(&unit->nodes, &m->policy->exits);
}

/* Routers with a tag of via and an approved route that a destination overlaps; exit nodes for the Internet. */
static void find_via_nodes(struct making *m, struct unit *unit)
{
	struct bitset tagged = set_new(m->r);
	unit->via = true;
	unit->nodes = set_new(m->r);
	unit->covers_internet = covers_internet(m, unit);
	for (size_t i = 0; i < m->rule->via_count; i++) {
		const struct list32 *nodes = &m->r->tag_nodes[m->rule->via[i]];
		for (size_t k = 0; k < nodes->count; k++)
			bitset_add(&tagged, nodes->at[k]);
	}
	for (size_t i = 0; i < unit->dst_count; i++) {
		const struct known *known = known_from(unit->dst[i].meaning);
		bitset_or(&unit->nodes, known->meaning.internet ? &m->policy->exits : &known->routers);
	}
	bitset_and(&unit->nodes, &tagged);
}

static void finish(struct making *m, struct unit *unit)
{
	if (m->rule->via_count)
		find_via_nodes(m, unit);
	else
		find_nodes(m, unit);
	if (!unit->app)
		merge_in(m, unit);
}

/* Destinations from target `from` on to `to`, without autogroup:self. */
static struct unit_dst *common_dst(struct making *m, size_t from, size_t to, const struct pass *pass, size_t *count)
{
	struct unit_dst *dst = ARENA_ARRAY(m->r->arena, struct unit_dst, to - from + 1);
	*count = 0;
	for (size_t i = from; i < to; i++) {
		const struct target *target = &m->rule->dst[i];
		bool own_ports = !m->rule->is_grant;
		if (target->alias.kind == ALIAS_SELF)
			continue;
		dst[(*count)++] = (struct unit_dst){target, &m->dst[i]->meaning,
						    own_ports ? target->ports
						    : pass    ? pass->ports
							      : NULL,
						    own_ports ? target->port_count
						    : pass    ? pass->port_count
							      : 0};
	}
	return dst;
}

static bool is_empty(const struct source *source)
{
	return !source->everything && !source->spans.count;
}

static void add_ports(struct making *m, size_t from, size_t to, const struct pass *pass)
{
	struct unit unit = {.rule = m->rule, .source = m->source, .proto = pass->proto, .self_of = UINT32_MAX};
	if (is_empty(m->source))
		return;
	unit.dst = common_dst(m, from, to, pass, &unit.dst_count);
	if (unit.dst_count)
		finish(m, unit_add(m, unit));
}

/* Companion of a capability: who may be reached tells that it shares. */
static const struct capability *companion_of(const struct rule *rule, int which)
{
	const char *name = which ? "tailscale.com/cap/relay" : "tailscale.com/cap/drive";
	for (size_t i = 0; i < rule->app_count; i++)
		if (bytes_equal_text(rule->app[i].name, name))
			return which ? &relay_target : &sharer;
	return NULL;
}

static void add_companions(struct making *m, struct known *const *dst, size_t dst_count, struct known *const *src, size_t src_count, uint32_t self_of)
{
	for (int which = 0; which < 2; which++) {
		const struct capability *app = companion_of(m->rule, which);
		if (!app || m->rule->via_count)
			continue;
		if (dst_count)
			memcpy(m->room, dst, dst_count * sizeof *dst);
		struct unit unit = {.rule = m->rule, .source = source_make(m->r, m->room, dst_count), .proto = PROTO_ABSENT, .app = app, .app_count = 1};
		unit.companion = true;
		unit.self_of = self_of;
		unit.dst = ARENA_ARRAY(m->r->arena, struct unit_dst, src_count + 1);
		for (size_t i = 0; i < src_count; i++)
			unit.dst[unit.dst_count++] = (struct unit_dst){.meaning = &src[i]->meaning};
		finish(m, unit_add(m, unit));
	}
}

static void add_app(struct making *m)
{
	const struct rule *rule = m->rule;
	struct unit unit = {.rule = rule, .source = m->source, .proto = PROTO_ABSENT, .app = rule->app, .app_count = rule->app_count, .self_of = UINT32_MAX};
	if (!rule->app_count)
		return;
	unit.dst = common_dst(m, 0, rule->dst_count, NULL, &unit.dst_count);
	if (!unit.dst_count)
		return;
	finish(m, unit_add(m, unit));
	struct known **dst = ARENA_ARRAY(m->r->arena, struct known *, unit.dst_count);
	for (size_t i = 0; i < unit.dst_count; i++)
		dst[i] = known_from(unit.dst[i].meaning);
	add_companions(m, dst, unit.dst_count, m->src, m->src_count, UINT32_MAX);
}

/* The rule for one user: who is source among its nodes, to all its nodes. */
static void add_self_of(struct making *m, const struct target *target, uint32_t user, struct known *from)
{
	const struct rule *rule = m->rule;
	struct known *to = known_of_user(m->r, user);
	struct source *source = source_make(m->r, &from, 1);
	struct unit unit = {.rule = rule, .source = source, .self_of = user, .dst_count = 1};
	for (size_t i = 0; i < rule->pass_count; i++) {
		const struct pass *pass = &rule->passes[i];
		unit.proto = pass->proto;
		unit.dst = ARENA_NEW(m->r->arena, struct unit_dst);
		*unit.dst = (struct unit_dst){target, &to->meaning, rule->is_grant ? pass->ports : target->ports,
					      rule->is_grant ? pass->port_count : target->port_count};
		finish(m, unit_add(m, unit));
	}
	if (!rule->app_count)
		return;
	unit.proto = PROTO_ABSENT;
	unit.app = rule->app;
	unit.app_count = rule->app_count;
	unit.dst = ARENA_NEW(m->r->arena, struct unit_dst);
	*unit.dst = (struct unit_dst){.target = target, .meaning = &to->meaning};
	finish(m, unit_add(m, unit));
	add_companions(m, &to, 1, &from, 1, user);
}

/* What the sources are among the nodes of a user; NULL: none. */
static struct known *self_sources(struct making *m, uint32_t user, uint32_t *slots)
{
	const struct list32 *nodes = &m->r->user_nodes[user];
	size_t count = 0;
	for (size_t i = 0; i < nodes->count; i++)
		if (bitset_has(&m->source->own, nodes->at[i]))
			slots[count++] = nodes->at[i];
	if (count == nodes->count)
		return count ? known_of_user(m->r, user) : NULL;
	return count ? known_of_slots(m->r, slots, count) : NULL;
}

static void add_self(struct making *m, const struct target *target)
{
	uint32_t *slots = x_alloc((m->policy->roll->node_count + 1) * sizeof *slots);
	m->r->by_user = true;
	m->r->self_sources = x_realloc(m->r->self_sources, (m->r->self_source_count + 1) * sizeof(struct source *));
	m->r->self_sources[m->r->self_source_count++] = m->source;
	for (uint32_t user = 0; user < m->policy->roll->user_count; user++) {
		struct known *from = self_sources(m, user, slots);
		if (from)
			add_self_of(m, target, user, from);
	}
	free(slots);
}

/* Destinations of an acl stand in the order of the wire; runs between autogroup:self are units. */
static void add_acl(struct making *m)
{
	const struct rule *rule = m->rule;
	for (size_t from = 0; from < rule->dst_count;) {
		size_t to = from;
		while (to < rule->dst_count && rule->dst[to].alias.kind != ALIAS_SELF)
			to++;
		if (to > from)
			add_ports(m, from, to, &rule->passes[0]);
		else
			add_self(m, &rule->dst[to++]);
		from = to;
	}
}

static void add_grant(struct making *m)
{
	const struct rule *rule = m->rule;
	for (size_t i = 0; i < rule->pass_count; i++)
		add_ports(m, 0, rule->dst_count, &rule->passes[i]);
	add_app(m);
	for (size_t i = 0; i < rule->dst_count; i++) {
		if (rule->dst[i].alias.kind != ALIAS_SELF || rule->via_count)
			continue;
		add_self(m, &rule->dst[i]);
		break; /* twice would be the same */
	}
}

static void add_rule(struct making *m, const struct rule *rule)
{
	m->rule = rule;
	if (!rule->src.count || !rule->dst_count)
		return;
	m->src = ARENA_ARRAY(m->r->arena, struct known *, rule->src.count);
	m->dst = ARENA_ARRAY(m->r->arena, struct known *, rule->dst_count);
	m->room = ARENA_ARRAY(m->r->arena, struct known *, rule->src.count + rule->dst_count);
	m->src_count = rule->src.count;
	for (size_t i = 0; i < rule->src.count; i++)
		m->room[i] = m->src[i] = known_of_rule(m->r, rule, &rule->src.list[i]);
	for (size_t i = 0; i < rule->dst_count; i++)
		m->dst[i] = known_of(m->r, &rule->dst[i].alias);
	m->source = source_make(m->r, m->room, m->src_count);
	if (rule->is_grant)
		add_grant(m);
	else if (rule->pass_count)
		add_acl(m);
}

void units_make(struct policy *policy)
{
	struct making m = {.policy = policy, .r = policy->resolver, .merge = table_new()};
	for (size_t i = 0; i < policy->document->rule_count; i++)
		add_rule(&m, &policy->document->rules[i]);
	spread_common(policy);
	table_free(&m.merge);
}
