/* How long a busy loop lets input gather before it looks again: a nap between turns, while so many packets come that those of a millisecond are worth handling
 * together. What network cards do with interrupts: packets that wait together share reads, records and writes.
 * Not a sleep for calm loops, nor for input that comes in batches anyway.
 * A plain value of one loop; it reads no clock. */
#ifndef PACE_H
#define PACE_H

#include <stdint.h>

enum { PACE_MOST_US = 1000, PACE_WINDOW_US = 2000 };

struct pace {
	unsigned nap_us; /* after each turn that moved something */
	unsigned reads, units, flows, window;
	unsigned rate, all; /* packets in a second of one flow, and of all; smoothed */
};

/* One read brought `units` packets of the flow that keeps `mark` for this loop. */
static inline void pace_count(struct pace *p, unsigned *mark, unsigned units)
{
	p->reads++;
	p->units += units;
	p->flows += *mark != p->window;
	*mark = p->window;
}
/* A window has passed, of which the thread was on a processor for `busy_us`. */
void pace_window(struct pace *p, uint64_t busy_us, uint64_t window_us);

#endif
