/* One address more or less in a set of ranges, in place. Private to the module.
 * Not sets built at once (span.h).
 * The list becomes a block of the heap of `room` ranges at its first edit; whoever holds room != 0 frees it. */
#ifndef SPANEDIT_H
#define SPANEDIT_H

#include "span.h"

/* Ranges that went and ranges that came instead; none when the set was so before. */
struct span_edit {
	struct span gone[2], come[2];
	size_t gone_count, come_count;
};

/* The first range that does not end before the address. */
size_t spans_reaching(struct spans set, struct ip ip);
struct span_edit spans_put(struct spans *set, size_t *room, struct ip ip);
struct span_edit spans_take(struct spans *set, size_t *room, struct ip ip);

#endif
