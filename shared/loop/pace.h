/* How long a busy loop lets input gather before it looks again: a nap that grows while the loop is busy with crumbs, and goes when it is idle or well fed.
 * What network cards do with interrupts: packets that wait together share reads, records and writes. Not a sleep that anybody waits for: at most PACE_MOST_US.
 * A plain value of one loop; it reads no clock. */
#ifndef PACE_H
#define PACE_H

#include <stdint.h>

enum { PACE_MOST_US = 1000, PACE_WINDOW_US = 2000 };

struct pace {
	unsigned nap_us; /* after each turn that moved something */
	unsigned reads, units;
};

/* One read brought `units` packets. */
static inline void pace_count(struct pace *p, unsigned units)
{
	p->reads++;
	p->units += units;
}
/* A window has passed, of which the thread was on a processor for `busy_us`. */
void pace_window(struct pace *p, uint64_t busy_us, uint64_t window_us);

#endif
