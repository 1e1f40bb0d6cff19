#include "span.h"

#include <stdlib.h>
#include <string.h>

static const struct ip none;

/* The bits behind `bits` all set: the last address of a prefix. */
static struct ip filled(struct ip ip, unsigned bits)
{
	for (unsigned i = 0; i < ip_bits(ip) / 8; i++) {
		unsigned keep = bits > i * 8 ? bits - i * 8 : 0;
		if (keep < 8)
			ip.byte[i] |= (uint8_t)(0xff >> keep);
	}
	return ip;
}

struct ip span_after(struct ip ip)
{
	struct ip next = ip_add(ip, 1);
	return ip_compare(next, ip) > 0 ? next : none;
}

struct ip span_before(struct ip ip)
{
	for (unsigned i = ip_bits(ip) / 8; i--;)
		if (ip.byte[i]--)
			break;
	return ip;
}

struct span span_of(struct prefix prefix)
{
	prefix = prefix_masked(prefix);
	return (struct span){prefix.ip, filled(prefix.ip, prefix.bits)};
}

static int by_first(const void *a, const void *b)
{
	return ip_compare(((const struct span *)a)->first, ((const struct span *)b)->first);
}

/* Whether a span that begins at `first` continues one that ends at `last`. */
static bool continues(struct ip last, struct ip first)
{
	return last.family == first.family && (ip_compare(first, last) <= 0 || ip_equal(span_after(last), first));
}

/* Joins neighbours of a sorted list. */
static struct spans joined(struct span *list, size_t count)
{
	size_t kept = 0;
	for (size_t i = 0; i < count; i++) {
		if (!kept || !continues(list[kept - 1].last, list[i].first))
			list[kept++] = list[i];
		else if (ip_compare(list[i].last, list[kept - 1].last) > 0)
			list[kept - 1].last = list[i].last;
	}
	return (struct spans){list, kept};
}

struct spans spans_of(struct span *list, size_t count)
{
	bool sorted = true;
	for (size_t i = 1; i < count && sorted; i++)
		sorted = by_first(&list[i - 1], &list[i]) <= 0;
	if (!sorted)
		qsort(list, count, sizeof *list, by_first);
	return joined(list, count);
}

struct spans spans_union(struct arena *arena, struct spans a, struct spans b)
{
	if (!a.count || !b.count)
		return a.count ? a : b;
	struct span *list = ARENA_ARRAY(arena, struct span, a.count + b.count);
	size_t count = 0;
	for (size_t i = 0, k = 0; i < a.count || k < b.count;) {
		bool from_a = k == b.count || (i < a.count && by_first(&a.list[i], &b.list[k]) <= 0);
		list[count++] = from_a ? a.list[i++] : b.list[k++];
	}
	return joined(list, count);
}

/* The first span that ends at `ip` or later. */
static size_t find(struct spans set, struct ip ip)
{
	size_t low = 0, high = set.count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (ip_compare(set.list[middle].last, ip) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct spans spans_minus(struct arena *arena, struct spans a, struct spans b)
{
	struct span *list = ARENA_ARRAY(arena, struct span, a.count + b.count);
	size_t count = 0, k = 0;
	for (size_t i = 0; i < a.count; i++) {
		struct span rest = a.list[i];
		while (k < b.count && ip_compare(b.list[k].last, rest.first) < 0)
			k++;
		for (; rest.first.family && k < b.count && ip_compare(b.list[k].first, rest.last) <= 0; k++) {
			if (ip_compare(b.list[k].first, rest.first) > 0)
				list[count++] = (struct span){rest.first, span_before(b.list[k].first)};
			rest.first = ip_compare(b.list[k].last, rest.last) < 0 ? span_after(b.list[k].last) : none;
			if (!rest.first.family)
				break; /* this one may reach into the next of `a` */
		}
		if (rest.first.family)
			list[count++] = rest;
	}
	return (struct spans){list, count};
}

bool spans_has(struct spans set, struct ip ip)
{
	return spans_overlap(set, (struct span){ip, ip});
}

bool spans_overlap(struct spans set, struct span span)
{
	size_t at = find(set, span.first);
	return span.first.family && at < set.count && ip_compare(set.list[at].first, span.last) <= 0;
}

bool spans_covers(struct spans set, struct span span)
{
	size_t at = find(set, span.first);
	return span.first.family && at < set.count && ip_compare(set.list[at].first, span.first) <= 0 && ip_compare(span.last, set.list[at].last) <= 0;
}

/* The longest prefix length under which a span that starts here stays inside `span`. */
static struct prefix head(struct span span)
{
	unsigned bits = ip_bits(span.first);
	while (bits) {
		struct prefix wider = {span.first, (uint8_t)(bits - 1)};
		if (!ip_equal(prefix_masked(wider).ip, span.first) || ip_compare(filled(span.first, bits - 1), span.last) > 0)
			break;
		bits--;
	}
	return (struct prefix){span.first, (uint8_t)bits};
}

size_t span_format(char out[static SPAN_TEXT_MAX], struct span span)
{
	if (ip_equal(span.first, span.last))
		return ip_format(out, span.first);
	struct prefix prefix = head(span);
	if (ip_equal(filled(prefix.ip, prefix.bits), span.last))
		return prefix_format(out, prefix);
	size_t len = ip_format(out, span.first);
	out[len++] = '-';
	return len + ip_format(out + len, span.last);
}

size_t span_prefixes(struct span span, struct prefix out[static 256])
{
	size_t count = 0;
	while (span.first.family && count < 256) {
		struct prefix prefix = out[count++] = head(span);
		struct ip last = filled(prefix.ip, prefix.bits);
		span.first = ip_compare(last, span.last) < 0 ? span_after(last) : none;
	}
	return count;
}

#define V4(a, b, c, d) \
	{ \
		.family = IP_V4, .byte = { a, b, c, d } \
	}

static struct span internet[] = {
	{V4(0, 0, 0, 0), V4(9, 255, 255, 255)},
	{V4(11, 0, 0, 0), V4(100, 63, 255, 255)},
	{V4(100, 128, 0, 0), V4(169, 253, 255, 255)},
	{V4(169, 255, 0, 0), V4(172, 15, 255, 255)},
	{V4(172, 32, 0, 0), V4(192, 167, 255, 255)},
	{V4(192, 169, 0, 0), V4(255, 255, 255, 255)},
	{{.family = IP_V6, .byte = {0x20}},
	 {.family = IP_V6, .byte = {0x3f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}}},
};

/* Without 100.115.92.0/23, which belongs to virtual machines of ChromeOS. */
static struct span wildcard[] = {
	{V4(100, 64, 0, 0), V4(100, 115, 91, 255)},
	{V4(100, 115, 94, 0), V4(100, 127, 255, 255)},
	{{.family = IP_V6, .byte = {0xfd, 0x7a, 0x11, 0x5c, 0xa1, 0xe0}},
	 {.family = IP_V6, .byte = {0xfd, 0x7a, 0x11, 0x5c, 0xa1, 0xe0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}}},
};

struct spans spans_internet(void)
{
	return (struct spans){internet, COUNT_OF(internet)};
}

struct spans spans_wildcard(void)
{
	return (struct spans){wildcard, COUNT_OF(wildcard)};
}
