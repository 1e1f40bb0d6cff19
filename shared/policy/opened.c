#include "explain.h"

#include <assert.h>
#include <stdlib.h>

#include "reach.h"
#include "resolve.h"
#include "sightgroup.h"
#include "table.h"

enum { STEPS_MAX = 50000000 };

struct mark {
	uint64_t a, b;
};

/* A unit of one of the two policies, and who its destinations are. */
struct part {
	const struct unit *unit;
	const struct bitset *targets;
};

struct parts {
	struct part *list;
	size_t count;
};

struct opened {
	int proto;
	struct port_range ports;
};

struct openers {
	struct policy *old, *now;
	struct arena *out, *scratch;
	struct port_range *left[2];
	size_t left_room[2], group_room;
	struct ways *ways;
	struct parts before, candidates;
	uint32_t *classes, *members, *starts, *seen; /* members of class c: from starts[c] to starts[c + 1] */
	size_t class_count, steps, cap, kept, room;
	struct part *from_before, *from_now; /* those that have the class at hand as source */
	size_t before_count, now_count;
	struct opened *found;
	size_t found_count, found_room;
	struct explain_opening *openings;
	size_t total;
};

static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 32) * UINT64_C(0xd6e8feb86659fd93);
	x = (x ^ x >> 32) * UINT64_C(0xd6e8feb86659fd93);
	return x ^ x >> 32;
}

static void feed(struct mark *mark, uint64_t value)
{
	mark->a = mix(mark->a ^ value) + UINT64_C(0x9e3779b97f4a7c15);
	mark->b = mix(mark->b + value) ^ UINT64_C(0xc2b2ae3d27d4eb4f);
}

static void feed_ip(struct mark *mark, struct ip ip)
{
	uint64_t words[2];
	memcpy(words, ip.byte, sizeof words);
	feed(mark, words[0]);
	feed(mark, words[1] ^ ip.family);
}

static void feed_spans(struct mark *mark, struct spans spans)
{
	for (size_t i = 0; i < spans.count; i++) {
		feed_ip(mark, spans.list[i].first);
		feed_ip(mark, spans.list[i].last);
	}
	feed(mark, spans.count);
}

/* The same for equal things of both policies; computed once per thing. */
static struct mark remember(struct openers *o, struct table *known, const void *thing, struct mark mark)
{
	struct mark *kept = ARENA_NEW(o->scratch, struct mark);
	*kept = mark;
	table_put_number(known, (uintptr_t)thing, kept);
	return mark;
}

static struct mark mark_source(struct openers *o, struct table *known, const struct source *source)
{
	struct mark *kept = table_find_number(known, (uintptr_t)source), mark = {source->everything, 1};
	if (kept)
		return *kept;
	feed_spans(&mark, source->spans);
	feed(&mark, bitset_hash(&source->own));
	return remember(o, known, source, mark);
}

static struct mark mark_meaning(struct openers *o, struct table *known, const struct meaning *meaning)
{
	struct mark *kept = table_find_number(known, (uintptr_t)meaning), mark = {0, 2};
	if (kept)
		return *kept;
	feed(&mark, (uint64_t)meaning->any << 2 | (uint64_t)meaning->internet << 1 | meaning->self);
	feed_spans(&mark, meaning->spans);
	return remember(o, known, meaning, mark);
}

static struct mark mark_unit(struct openers *o, struct table *known, const struct unit *unit)
{
	struct mark mark = mark_source(o, known, unit->source);
	feed(&mark, (uint64_t)(unit->proto + 1) << 34 | (uint64_t)unit->via << 33 | unit->self_of);
	if (unit->via || unit->self_of != UINT32_MAX)
		feed(&mark, bitset_hash(&unit->nodes));
	for (size_t i = 0; i < unit->dst_count; i++) {
		struct mark meaning = mark_meaning(o, known, unit->dst[i].meaning);
		feed(&mark, meaning.a);
		feed(&mark, meaning.b);
		for (size_t k = 0; k < unit->dst[i].port_count; k++)
			feed(&mark, (uint64_t)unit->dst[i].ports[k].first << 16 | unit->dst[i].ports[k].last);
	}
	return mark;
}

static const struct bitset *targets_of(struct openers *o, const struct policy *policy, const struct unit *unit)
{
	if (!unit->covers_internet || unit->via)
		return &unit->nodes;
	struct bitset *set = ARENA_NEW(o->scratch, struct bitset);
	size_t count = unit->nodes.count > policy->exits.count ? unit->nodes.count : policy->exits.count;
	*set = (struct bitset){ARENA_ARRAY(o->scratch, uint64_t, count), count};
	for (size_t i = 0; i < count; i++)
		set->words[i] = bitset_word(&unit->nodes, i) | bitset_word(&policy->exits, i);
	return set;
}

static bool opens(const struct unit *unit)
{
	return !unit->app && !unit->companion && unit->dst_count && bitset_any(&unit->source->own);
}

/* All that was open, and what is new: units without an equal in the old policy. */
static void collect(struct openers *o)
{
	struct table *known = table_new(), *marks = table_new();
	o->before.list = ARENA_ARRAY(o->scratch, struct part, o->old->unit_count);
	o->candidates.list = ARENA_ARRAY(o->scratch, struct part, o->now->unit_count);
	for (size_t i = 0; i < o->old->unit_count; i++) {
		const struct unit *unit = &o->old->units[i];
		if (!opens(unit))
			continue;
		o->before.list[o->before.count++] = (struct part){unit, targets_of(o, o->old, unit)};
		struct mark mark = mark_unit(o, known, unit);
		table_put(marks, bytes_of(&mark, sizeof mark), o);
	}
	for (size_t i = 0; i < o->now->unit_count; i++) {
		const struct unit *unit = &o->now->units[i];
		if (!opens(unit))
			continue;
		struct mark mark = mark_unit(o, known, unit);
		if (!table_find(marks, bytes_of(&mark, sizeof mark)))
			o->candidates.list[o->candidates.count++] = (struct part){unit, targets_of(o, o->now, unit)};
	}
	table_free(&known);
	table_free(&marks);
}

static void add_group(struct openers *o, struct sight_groups *groups, struct table *known, const struct bitset *members)
{
	uint64_t hash = bitset_hash(members);
	const struct bitset *same = table_find_number(known, hash);
	if (same && bitset_equal(same, members))
		return;
	if (groups->count == o->group_room)
		groups->list = x_realloc(groups->list, (o->group_room = o->group_room * 2 + 64) * sizeof *groups->list);
	assert(groups->list);
	struct sight_group *group = ARENA_NEW(o->scratch, struct sight_group);
	group->members = members;
	groups->list[groups->count++] = group;
	table_put_number(known, hash, (void *)(uintptr_t)members);
}

/* Destinations of one rule have ports of their own: each tells nodes apart. */
static void add_groups(struct openers *o, struct sight_groups *groups, struct table *known, struct table *meanings, struct parts parts)
{
	for (size_t i = 0; i < parts.count; i++) {
		const struct unit *unit = parts.list[i].unit;
		add_group(o, groups, known, &unit->source->own);
		add_group(o, groups, known, parts.list[i].targets);
		for (size_t k = 0; unit->dst_count > 1 && k < unit->dst_count; k++)
			if (!table_put_number(meanings, (uintptr_t)unit->dst[k].meaning, o))
				add_group(o, groups, known, &known_from(unit->dst[k].meaning)->own);
	}
}

/* Nodes that are the same for both policies are judged once. A router is like no other: which route a rule reaches differs. */
static void classify(struct openers *o)
{
	size_t slots = o->now->roll->node_count;
	struct sight_groups groups = {0};
	struct table *known = table_new(), *meanings = table_new();
	add_groups(o, &groups, known, meanings, o->candidates);
	add_groups(o, &groups, known, meanings, o->before);
	o->classes = ARENA_ARRAY(o->scratch, uint32_t, slots);
	o->class_count = sight_classes(&groups, o->now->roll, o->classes);
	for (size_t i = 0; i < o->ways->router_count; i++)
		o->classes[o->ways->routers[i].slot] = (uint32_t)o->class_count++;
	table_free(&known);
	table_free(&meanings);
	free(groups.list);
	o->starts = ARENA_ARRAY(o->scratch, uint32_t, o->class_count + 2);
	o->seen = ARENA_ARRAY(o->scratch, uint32_t, o->class_count + 1);
	o->members = ARENA_ARRAY(o->scratch, uint32_t, slots);
	for (size_t i = 0; i < slots; i++)
		if (o->classes[i] != UINT32_MAX)
			o->starts[o->classes[i] + 2]++;
	for (size_t i = 2; i <= o->class_count; i++)
		o->starts[i] += o->starts[i - 1];
	for (size_t i = 0; i < slots; i++)
		if (o->classes[i] != UINT32_MAX)
			o->members[o->starts[o->classes[i] + 1]++] = (uint32_t)i;
}

static bool carries(int unit_proto, int proto)
{
	return unit_proto == proto ||
	       (unit_proto == PROTO_ABSENT && (proto == PROTO_TCP || proto == PROTO_UDP || proto == PROTO_ICMP || proto == PROTO_ICMPV6));
}

/* Whether the destination holds the whole piece. */
static bool reaches(const struct openers *o, const struct unit *unit, const struct unit_dst *dst, uint32_t to, struct span piece)
{
	const struct node *node = o->now->roll->nodes[to].node;
	if (unit->self_of != UINT32_MAX)
		return reach_is_mine(o->now, unit, to) && ip_equal(piece.first, piece.last) &&
		       (ip_equal(piece.first, node->ip4) || ip_equal(piece.first, node->ip6));
	if (dst->meaning->any)
		return !unit->via || spans_covers(spans_wildcard(), piece);
	return spans_covers(dst->meaning->internet ? spans_internet() : dst->meaning->spans, piece);
}

/* What is left of the ranges without `taken`, in the buffer that does not hold them. */
static size_t subtract(struct openers *o, const struct port_range **list, size_t count, struct port_range taken)
{
	unsigned which = *list == o->left[0];
	size_t kept = 0;
	if (o->left_room[which] < 2 * count)
		o->left[which] = x_realloc(o->left[which], (o->left_room[which] = 4 * count) * sizeof **list);
	struct port_range *left = o->left[which];
	for (size_t i = 0; i < count; i++) {
		struct port_range range = (*list)[i];
		if (range.last < taken.first || range.first > taken.last) {
			left[kept++] = range;
			continue;
		}
		if (range.first < taken.first)
			left[kept++] = (struct port_range){range.first, (uint16_t)(taken.first - 1)};
		if (range.last > taken.last)
			left[kept++] = (struct port_range){(uint16_t)(taken.last + 1), range.last};
	}
	*list = left;
	o->steps += count;
	return kept;
}

static bool spent(const struct openers *o)
{
	return o->steps >= STEPS_MAX;
}

static void find(struct openers *o, int proto, struct port_range ports)
{
	if (o->found_count == o->found_room)
		o->found = x_realloc(o->found, (o->found_room = o->found_room * 2 + 64) * sizeof *o->found);
	o->found[o->found_count++] = (struct opened){proto, ports};
}

/* Ports of `dst` that nothing old gave for that piece of addresses. */
static void compare(struct openers *o, const struct unit_dst *dst, uint32_t to, struct span piece, int proto)
{
	static const struct port_range every = {0, UINT16_MAX};
	const struct port_range *left = dst->ports;
	size_t count = dst->port_count;
	if (!reach_has_ports(proto)) {
		if (!reach_every_port(dst))
			return;
		left = &every;
		count = 1;
	}
	o->steps++;
	for (size_t i = 0; count && i < o->before_count && !spent(o); i++) {
		const struct part *part = &o->from_before[i];
		o->steps++;
		if (!carries(part->unit->proto, proto) || !bitset_has(part->targets, to))
			continue;
		for (size_t k = 0; count && k < part->unit->dst_count && !spent(o); k++) {
			const struct unit_dst *old = &part->unit->dst[k];
			o->steps++;
			if (!reaches(o, part->unit, old, to, piece) || (!reach_has_ports(proto) && !reach_every_port(old)))
				continue;
			for (size_t r = 0; count && r < old->port_count && !spent(o); r++)
				count = subtract(o, &left, count, old->ports[r]);
		}
	}
	o->steps += count;
	for (size_t i = 0; i < count && !spent(o); i++)
		find(o, proto, left[i]);
}

static void compare_piece(struct openers *o, const struct part *part, const struct unit_dst *dst, uint32_t to, struct span piece)
{
	static const int absent[] = {PROTO_TCP, PROTO_UDP, PROTO_ICMP, PROTO_ICMPV6};
	if (part->unit->proto != PROTO_ABSENT) {
		compare(o, dst, to, piece, part->unit->proto);
		return;
	}
	for (size_t i = 0; i < COUNT_OF(absent); i++)
		compare(o, dst, to, piece, absent[i]);
}

/* Where the set meets the span. */
static void compare_overlap(struct openers *o, const struct part *part, const struct unit_dst *dst, uint32_t to, struct spans spans, struct span span)
{
	size_t low = 0, high = spans.count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (ip_compare(spans.list[middle].last, span.first) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < spans.count && ip_compare(spans.list[low].first, span.last) <= 0 && !spent(o); low++) {
		struct span piece = spans.list[low];
		if (ip_compare(piece.first, span.first) < 0)
			piece.first = span.first;
		if (ip_compare(piece.last, span.last) > 0)
			piece.last = span.last;
		compare_piece(o, part, dst, to, piece);
	}
}

/* The addresses of `to` that this destination means: its own, and those behind it. */
static void compare_dst(struct openers *o, const struct part *part, const struct unit_dst *dst, uint32_t to)
{
	const struct node *node = o->now->roll->nodes[to].node;
	const struct meaning *meaning = dst->meaning;
	const struct way_router *router = part->unit->self_of == UINT32_MAX ? ways_router(o->ways, to) : NULL;
	struct ip own[] = {node->ip4, node->ip6};
	struct spans spans = meaning->internet ? spans_internet() : meaning->spans;
	if (!reach_is_mine(o->now, part->unit, to))
		return;
	for (size_t i = 0; i < COUNT_OF(own); i++)
		if (own[i].family != IP_NONE && (meaning->any || part->unit->self_of != UINT32_MAX || spans_has(spans, own[i])))
			compare_piece(o, part, dst, to, span_of(ip_prefix(own[i])));
	for (size_t i = 0; router && i < router->served.count; i++) {
		struct prefix way = o->ways->list[router->served.list[i]];
		if (meaning->any)
			compare_piece(o, part, dst, to, span_of(way));
		else if (way.bits || part->unit->covers_internet)
			compare_overlap(o, part, dst, to, spans, span_of(way));
	}
}

static int by_proto(const void *a, const void *b)
{
	const struct opened *x = a, *y = b;
	if (x->proto != y->proto)
		return x->proto < y->proto ? -1 : 1;
	if (x->ports.first != y->ports.first)
		return x->ports.first < y->ports.first ? -1 : 1;
	return (x->ports.last > y->ports.last) - (x->ports.last < y->ports.last);
}

static void join(struct openers *o)
{
	size_t kept = 0;
	if (o->found_count)
		qsort(o->found, o->found_count, sizeof *o->found, by_proto);
	for (size_t i = 0; i < o->found_count; i++) {
		struct opened *last = kept ? &o->found[kept - 1] : NULL, here = o->found[i];
		if (!last || last->proto != here.proto || here.ports.first > last->ports.last + 1)
			o->found[kept++] = here;
		else if (here.ports.last > last->ports.last)
			last->ports.last = here.ports.last;
	}
	o->found_count = kept;
}

static size_t run(const struct openers *o, int proto, const struct opened **first)
{
	size_t at = 0, count = 0;
	while (at < o->found_count && o->found[at].proto != proto)
		at++;
	*first = &o->found[at];
	while (at + count < o->found_count && o->found[at + count].proto == proto)
		count++;
	return count;
}

/* TCP, UDP, ICMP and ICMPv6 alike are one opening without a protocol. */
static void fold(struct openers *o)
{
	const struct opened *tcp, *udp, *icmp, *icmp6;
	size_t count = run(o, PROTO_TCP, &tcp), kept = 0;
	bool alike = count && run(o, PROTO_UDP, &udp) == count;
	for (size_t i = 0; alike && i < count; i++)
		alike = tcp[i].ports.first == udp[i].ports.first && tcp[i].ports.last == udp[i].ports.last;
	bool every = alike && !tcp->ports.first && tcp->ports.last == UINT16_MAX;
	if (!alike || run(o, PROTO_ICMP, &icmp) != every || run(o, PROTO_ICMPV6, &icmp6) != every)
		return;
	for (size_t i = 0; i < o->found_count; i++) {
		struct opened here = o->found[i];
		if (here.proto == PROTO_UDP || here.proto == PROTO_ICMP || here.proto == PROTO_ICMPV6)
			continue;
		here.proto = here.proto == PROTO_TCP ? PROTO_ABSENT : here.proto;
		o->found[kept++] = here;
	}
	o->found_count = kept;
}

static void keep(struct openers *o, uint32_t from, uint32_t to)
{
	for (size_t i = 0; i < o->found_count && o->kept < o->cap; i++) {
		if (o->kept == o->room) {
			size_t room = o->room * 2 + 64 < o->cap ? o->room * 2 + 64 : o->cap;
			struct explain_opening *more = ARENA_ARRAY(o->out, struct explain_opening, room);
			if (o->kept)
				memcpy(more, o->openings, o->kept * sizeof *more);
			o->openings = more;
			o->room = room;
		}
		o->openings[o->kept++] = (struct explain_opening){from, to, o->found[i].proto, o->found[i].ports};
	}
}

static void judge_pair(struct openers *o, uint32_t from, uint32_t to)
{
	uint32_t target = o->members[o->starts[to]];
	size_t from_count = o->starts[from + 1] - o->starts[from], to_count = o->starts[to + 1] - o->starts[to];
	o->found_count = 0;
	if (from == to && from_count < 2)
		return;
	for (size_t i = 0; i < o->now_count && !spent(o); i++) {
		o->steps++;
		if (bitset_has(o->from_now[i].targets, target))
			for (size_t k = 0; k < o->from_now[i].unit->dst_count && !spent(o); k++, o->steps++)
				compare_dst(o, &o->from_now[i], &o->from_now[i].unit->dst[k], target);
	}
	if (!o->found_count || spent(o)) /* what was not compared to the end is not told */
		return;
	join(o);
	fold(o);
	o->total += o->found_count * (from_count * to_count - (from == to ? from_count : 0));
	for (size_t i = 0; i < from_count && o->kept < o->cap; i++)
		for (size_t k = 0; k < to_count && o->kept < o->cap; k++)
			if (o->members[o->starts[from] + i] != o->members[o->starts[to] + k])
				keep(o, o->members[o->starts[from] + i], o->members[o->starts[to] + k]);
}

static size_t of_source(struct openers *o, struct parts parts, uint32_t slot, struct part *out)
{
	size_t count = 0;
	for (size_t i = 0; i < parts.count; i++)
		if (bitset_has(&parts.list[i].unit->source->own, slot))
			out[count++] = parts.list[i];
	o->steps += parts.count;
	return count;
}

static void judge_class(struct openers *o, uint32_t from)
{
	struct bitset targets = {0};
	if (o->starts[from] == o->starts[from + 1])
		return;
	uint32_t slot = o->members[o->starts[from]];
	o->now_count = of_source(o, o->candidates, slot, o->from_now);
	if (!o->now_count)
		return;
	o->before_count = of_source(o, o->before, slot, o->from_before);
	for (size_t i = 0; i < o->now_count; i++) {
		bitset_or(&targets, o->from_now[i].targets);
		o->steps += o->from_now[i].targets->count / 8;
	}
	BITSET_EACH(&targets, at) {
		uint32_t to = o->classes[at];
		if (to == UINT32_MAX || o->seen[to] == from + 1)
			continue;
		o->seen[to] = from + 1;
		judge_pair(o, from, to);
		if (spent(o))
			break;
	}
	bitset_clear(&targets);
}

size_t explain_opened(struct policy *old, struct policy *now, struct arena *arena, size_t cap, struct explain_opening **openings, size_t *count)
{
	struct openers o = {.old = old, .now = now, .out = arena, .scratch = arena_new(), .cap = cap};
	o.ways = ways_new(o.scratch, now);
	collect(&o);
	if (o.candidates.count) {
		classify(&o);
		o.from_before = ARENA_ARRAY(o.scratch, struct part, o.before.count);
		o.from_now = ARENA_ARRAY(o.scratch, struct part, o.candidates.count);
		for (size_t from = 0; from < o.class_count && !spent(&o); from++)
			judge_class(&o, (uint32_t)from);
	}
	*openings = o.openings;
	*count = o.total;
	free(o.found);
	free(o.left[0]);
	free(o.left[1]);
	arena_free(&o.scratch);
	return o.kept;
}
