#include "explain.h"

#include "reach.h"
#include "visible.h"

static bool is_own(const struct node *node, struct ip ip)
{
	return ip_equal(node->ip4, ip) || ip_equal(node->ip6, ip);
}

static uint32_t holder(const struct roll *roll, struct ip ip)
{
	for (size_t i = 0; ip.family != IP_NONE && i < roll->node_count; i++)
		if (roll->nodes[i].node && is_own(roll->nodes[i].node, ip))
			return (uint32_t)i;
	return UINT32_MAX;
}

/* The longest route that holds the address. An exit route holds the Internet alone. */
struct best {
	struct ip ip;
	bool internet;
	uint32_t slot;
	int bits;
};

static void weigh(struct best *best, uint32_t slot, struct prefix route)
{
	route = prefix_masked(route);
	if (prefix_has(route, best->ip) && (route.bits || best->internet) && route.bits > best->bits) {
		best->slot = slot;
		best->bits = route.bits;
	}
}

/* Who serves the address: as the source sees it; when it sees nobody, for the tailnet. */
static uint32_t server(struct policy *policy, uint32_t from, struct ip ip)
{
	struct best best = {ip, spans_has(spans_internet(), ip), UINT32_MAX, -1};
	const struct sight *sight = from == UINT32_MAX ? NULL : visible_sight(policy, from);
	for (size_t i = 0; sight && i < sight->router_count; i++)
		for (size_t k = 0; sight->routers[i].slot != from && k < sight->routers[i].count; k++)
			weigh(&best, sight->routers[i].slot, sight->routers[i].routes[k]);
	if (best.slot != UINT32_MAX)
		return best.slot;
	for (size_t i = 0; i < policy->roll->node_count; i++) {
		const struct node *node = policy->roll->nodes[i].node;
		for (size_t k = 0; node && k < node->primary_count; k++)
			weigh(&best, (uint32_t)i, node->routes_primary[k]);
	}
	size_t exit = bitset_next(&policy->exits, 0);
	if (best.slot == UINT32_MAX && best.internet && exit != SIZE_MAX)
		best.slot = (uint32_t)exit;
	return best.slot;
}

static bool has_port(const struct unit_dst *dst, uint16_t port)
{
	for (size_t i = 0; i < dst->port_count; i++)
		if (dst->ports[i].first <= port && port <= dst->ports[i].last)
			return true;
	return false;
}

/* Echo needs no port and no protocol; what has no ports needs a rule of its protocol for all of them. */
static bool passes(const struct unit *unit, const struct unit_dst *dst, int proto, uint16_t port)
{
	if (proto == PROTO_ICMP || proto == PROTO_ICMPV6)
		return true;
	if (proto == PROTO_TCP || proto == PROTO_UDP)
		return (unit->proto == proto || unit->proto == PROTO_ABSENT) && has_port(dst, port);
	return unit->proto == proto && (proto == PROTO_SCTP ? has_port(dst, port) : reach_every_port(dst));
}

static bool overlaps_route(struct arena *arena, const struct node *node, struct spans spans)
{
	struct prefix *routes = ARENA_ARRAY(arena, struct prefix, node->approved_count);
	size_t count = roll_subnet_routes(node, routes);
	for (size_t i = 0; i < count; i++)
		if (spans_overlap(spans, span_of(routes[i])))
			return true;
	return false;
}

/* Whether the entry is in the router's filter: 9. Of what it holds or serves it is; of the Internet when it is an exit node. */
static bool is_kept(struct arena *arena, const struct policy *policy, const struct unit_dst *dst, uint32_t router)
{
	const struct node *node = policy->roll->nodes[router].node;
	struct spans spans = dst->meaning->spans;
	if (dst->meaning->any || spans_has(spans, node->ip4) || spans_has(spans, node->ip6))
		return true;
	if (bitset_has(&policy->exits, router)) {
		bool inside = true;
		for (size_t i = 0; inside && i < spans.count; i++)
			inside = spans_covers(spans_internet(), spans.list[i]);
		if (inside || dst->meaning->internet)
			return true;
	}
	return overlaps_route(arena, node, spans);
}

/* The one prefix of the set, as a filter writes it, that holds the address; false: none. */
static bool prefix_around(struct spans set, struct ip ip, struct prefix *found)
{
	for (size_t i = 0; i < set.count; i++) {
		struct prefix prefixes[256];
		if (ip_compare(ip, set.list[i].first) < 0 || ip_compare(ip, set.list[i].last) > 0 || ip.family != set.list[i].first.family)
			continue;
		for (size_t k = span_prefixes(set.list[i], prefixes); k > 0; k--)
			if (prefix_has(*found = prefixes[k - 1], ip))
				return true;
	}
	return false;
}

/* A grant with via is served, prefix by prefix, for what overlaps a route of the router, and for the Internet by exit nodes. */
static bool is_steered(struct arena *arena, const struct policy *policy, const struct unit_dst *dst, uint32_t router, struct ip ip)
{
	struct prefix around;
	if (dst->meaning->internet)
		return bitset_has(&policy->exits, router);
	if (!prefix_around(dst->meaning->any ? spans_wildcard() : dst->meaning->spans, ip, &around))
		return false;
	struct span span = span_of(around);
	return overlaps_route(arena, policy->roll->nodes[router].node, (struct spans){&span, 1});
}

static bool holds(const struct policy *policy, const struct unit *unit, const struct unit_dst *dst, struct ip ip)
{
	if (unit->self_of != UINT32_MAX) {
		uint32_t slot = holder(policy->roll, ip);
		return slot != UINT32_MAX && reach_is_mine(policy, unit, slot);
	}
	if (dst->meaning->any)
		return !unit->via || spans_has(spans_wildcard(), ip);
	return spans_has(dst->meaning->internet ? spans_internet() : dst->meaning->spans, ip);
}

static bool allows(struct policy *policy, struct arena *arena, const struct unit *unit, const struct explain_question *question, uint32_t router)
{
	bool bound = unit->via || unit->self_of != UINT32_MAX;
	if (unit->app || unit->companion || !unit->dst_count)
		return false;
	if (bound && (router == UINT32_MAX || !bitset_has(&unit->nodes, router) || !reach_is_mine(policy, unit, router)))
		return false;
	if (!unit->source->everything && !spans_has(unit->source->spans, question->source))
		return false;
	int proto = question->proto == PROTO_ABSENT ? PROTO_TCP : question->proto;
	for (size_t i = 0; i < unit->dst_count; i++) {
		const struct unit_dst *dst = &unit->dst[i];
		if (!dst->port_count || !passes(unit, dst, proto, question->port) || !holds(policy, unit, dst, question->destination))
			continue;
		if (unit->via ? is_steered(arena, policy, dst, router, question->destination)
			      : bound || router == UINT32_MAX || is_kept(arena, policy, dst, router))
			return true;
	}
	return false;
}

struct explain explain_ask(struct policy *policy, struct arena *arena, const struct explain_question *question)
{
	struct explain explain = {.router = holder(policy->roll, question->destination)};
	bool behind = explain.router == UINT32_MAX;
	struct arena *scratch = arena_new();
	size_t room = 0;
	if (behind)
		explain.router = server(policy, holder(policy->roll, question->source), question->destination);
	behind = behind && explain.router != UINT32_MAX;
	for (size_t i = 0; i < policy->unit_count; i++) {
		const struct unit *unit = &policy->units[i];
		if (explain.reason_count && explain.reasons[explain.reason_count - 1].rule == unit->rule)
			continue;
		arena_reset(scratch);
		if (!allows(policy, scratch, unit, question, explain.router))
			continue;
		if (explain.reason_count == room) {
			struct explain_reason *more = ARENA_ARRAY(arena, struct explain_reason, room * 2 + 4);
			if (room)
				memcpy(more, explain.reasons, room * sizeof *more);
			explain.reasons = more;
			room = room * 2 + 4;
		}
		explain.reasons[explain.reason_count++] = (struct explain_reason){unit->rule, behind};
	}
	explain.allowed = explain.reason_count > 0;
	arena_free(&scratch);
	return explain;
}
