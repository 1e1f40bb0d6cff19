/* Sets of addresses as sorted, disjoint, maximal ranges, IPv4 before IPv6. Pure.
 * Not prefixes with a meaning (addr.h).
 * Ranges live in the arena they were made in; a set handed on is borrowed. */
#ifndef SPAN_H
#define SPAN_H

#include "addr.h"
#include "arena.h"

struct span {
	struct ip first, last; /* of one family */
};

struct spans {
	struct span *list;
	size_t count;
};

struct span span_of(struct prefix prefix);
struct ip span_after(struct ip ip);  /* IP_NONE behind the last of the family */
struct ip span_before(struct ip ip); /* must not be the first */
/* Sorts `list`, joins what overlaps or touches, in place. */
struct spans spans_of(struct span *list, size_t count);
struct spans spans_union(struct arena *arena, struct spans a, struct spans b);
struct spans spans_minus(struct arena *arena, struct spans a, struct spans b);
bool spans_has(struct spans set, struct ip ip); /* binary search */
bool spans_overlap(struct spans set, struct span span);
bool spans_covers(struct spans set, struct span span); /* all of it */

enum { SPAN_TEXT_MAX = 2 * IP_TEXT_MAX };
/* Single address, CIDR when it is exactly one prefix, else first-last. Length without the NUL. */
size_t span_format(char out[static SPAN_TEXT_MAX], struct span span);
/* The fewest prefixes that make the range, ascending; appended to out (room for 256). How many. */
size_t span_prefixes(struct span span, struct prefix out[static 256]);

/* 0.0.0.0/0 + 2000::/3 without private, link-local and tailnet ranges; and what `*` means: policy.md, section 1. Borrowed for ever. */
struct spans spans_internet(void);
struct spans spans_wildcard(void);

#endif
