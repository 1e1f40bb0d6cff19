/* What a loop that moves packets does between two turns. Few packets: it sleeps. More, so that the next is due at once: it keeps looking for some microseconds, which costs no
 * more than falling asleep and being woken. Many: it naps, so that packets that wait together share reads, records and writes, as network cards do with interrupts.
 * Not for calm loops, nor a nap for input that comes in batches anyway.
 * A plain value of one loop; it reads no clock. */
#ifndef PACE_H
#define PACE_H

#include <stdbool.h>
#include <stdint.h>

enum { PACE_MOST_US = 1000, PACE_WINDOW_US = 2000, PACE_LOOK_US = 20 };

struct pace {
	unsigned nap_us; /* after each turn that moved something */
	unsigned reads, units, flows, window;
	unsigned rate, all; /* packets in a second of one flow, and of all; smoothed */
	unsigned luck;      /* of 256 waits, so many were short; smoothed */
	unsigned lag;       /* sixteenths of a packet that a read brings; smoothed */
	bool strong;        /* packets are worth gathering for long */
};

/* One read brought `units` packets of the flow that keeps `mark` for this loop. */
static inline void pace_count(struct pace *p, unsigned *mark, unsigned units)
{
	p->reads++;
	p->units += units;
	p->flows += *mark != p->window;
	*mark = p->window;
}
/* How long to look before sleeping, 0: not at all. */
unsigned pace_look_us(const struct pace *p);
/* It has looked, or slept, for so long until something came. */
void pace_waited(struct pace *p, uint64_t us);
/* A window has passed, of which the thread was on a processor for `busy_us`. */
void pace_window(struct pace *p, uint64_t busy_us, uint64_t window_us);

#endif
