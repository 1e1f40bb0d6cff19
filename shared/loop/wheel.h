/* The timers of one loop, ordered by when they are due: four levels of 256 slots, 1 ms at the bottom.
 * Not a clock: its owner tells the time.
 * Embedded in struct loop; timers belong to those who set them. */
#ifndef WHEEL_H
#define WHEEL_H

#include "loop.h"

enum { WHEEL_LEVELS = 4, WHEEL_SLOTS = 256 };

struct wheel {
	int64_t now_ms;    /* everything due until here has been taken out */
	struct list ready; /* due already when they were set */
	/* A timer leaves by list_remove alone: the bit of a slot emptied so stays until the wheel passes it, and costs one early look. */
	uint64_t used[WHEEL_LEVELS][WHEEL_SLOTS / 64];
	struct list slot[WHEEL_LEVELS][WHEEL_SLOTS];
};

void wheel_init(struct wheel *w, int64_t now_ms);
void wheel_insert(struct wheel *w, struct timer *t);
/* No timer is due before this; INT64_MAX when there is none. */
int64_t wheel_next(const struct wheel *w);
/* Moves what is due at `now_ms` to the end of `due`, in order. */
void wheel_advance(struct wheel *w, int64_t now_ms, struct list *due);

#endif
