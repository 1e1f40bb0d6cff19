#include "ipset.h"

#include <stdlib.h>

/* Addresses cut where any range begins or has ended: cell i goes from starts[i] to before the next of its family. */
struct painting {
	struct ip *starts;
	size_t count;
	uint32_t *next; /* the first cell from here on that is not painted yet, as far as known */
	bool *held;
};

static int by_ip(const void *a, const void *b)
{
	return ip_compare(*(const struct ip *)a, *(const struct ip *)b);
}

static void cut(struct painting *p, struct spans spans)
{
	for (size_t i = 0; i < spans.count; i++) {
		struct ip behind = span_after(spans.list[i].last);
		p->starts[p->count++] = spans.list[i].first;
		if (behind.family)
			p->starts[p->count++] = behind;
	}
}

static void sort_cuts(struct painting *p)
{
	size_t kept = 0;
	if (p->count > 1)
		qsort(p->starts, p->count, sizeof *p->starts, by_ip);
	for (size_t i = 0; i < p->count; i++)
		if (!kept || !ip_equal(p->starts[kept - 1], p->starts[i]))
			p->starts[kept++] = p->starts[i];
	p->count = kept;
	p->next = x_alloc((kept + 1) * sizeof *p->next);
	p->held = x_zalloc((kept + 1) * sizeof *p->held);
	for (size_t i = 0; i <= kept; i++)
		p->next[i] = (uint32_t)i;
}

static uint32_t unpainted(struct painting *p, uint32_t cell)
{
	uint32_t at = cell;
	while (p->next[at] != at)
		at = p->next[at];
	while (p->next[cell] != at) { /* the way is shorter next time */
		uint32_t following = p->next[cell];
		p->next[cell] = at;
		cell = following;
	}
	return at;
}

/* Later entries painted first: what has a colour keeps it. */
static void paint(struct painting *p, struct span span, bool hold)
{
	const struct ip *first = bsearch(&span.first, p->starts, p->count, sizeof span.first, by_ip);
	uint32_t cell = unpainted(p, (uint32_t)(first - p->starts));
	while (cell < p->count && ip_compare(p->starts[cell], span.last) <= 0) {
		p->held[cell] = hold;
		p->next[cell] = cell + 1;
		cell = unpainted(p, cell + 1);
	}
}

static struct ip end_of(const struct painting *p, size_t cell)
{
	struct ip zero = {.family = p->starts[cell].family};
	if (cell + 1 < p->count && p->starts[cell + 1].family == zero.family)
		return span_before(p->starts[cell + 1]);
	return span_of((struct prefix){zero, 0}).last;
}

static struct spans held_spans(struct resolver *r, const struct painting *p)
{
	size_t count = 0;
	for (size_t i = 0; i < p->count; i++)
		count += p->held[i];
	struct spans spans = {ARENA_ARRAY(r->arena, struct span, count), 0};
	for (size_t i = 0; i < p->count; i++)
		if (p->held[i])
			spans.list[spans.count++] = (struct span){p->starts[i], end_of(p, i)};
	return spans_of(spans.list, spans.count);
}

struct spans ipset_spans(struct resolver *r, const struct ipset *set)
{
	struct painting p = {0};
	size_t total = 0;
	for (size_t i = 0; i < set->entry_count; i++)
		total += known_of(r, &set->entries[i].alias)->meaning.spans.count;
	p.starts = x_alloc((total * 2 + 1) * sizeof *p.starts);
	for (size_t i = 0; i < set->entry_count; i++)
		cut(&p, known_of(r, &set->entries[i].alias)->meaning.spans);
	sort_cuts(&p);
	for (size_t i = set->entry_count; i--;) {
		struct spans spans = known_of(r, &set->entries[i].alias)->meaning.spans;
		for (size_t k = 0; k < spans.count; k++)
			paint(&p, spans.list[k], !set->entries[i].remove);
	}
	struct spans held = held_spans(r, &p);
	free(p.starts);
	free(p.next);
	free(p.held);
	return held;
}
