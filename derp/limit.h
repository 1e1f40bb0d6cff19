/* A token bucket: so many at once, so many per second afterwards.
 * Not a clock: `now` is a parameter.
 * A plain value, embedded where it is needed. */
#ifndef LIMIT_H
#define LIMIT_H

#include "clock.h"

struct limit {
	int64_t thousandths; /* tokens there are, in thousandths */
	int64_t at_ms;       /* when that was */
};

/* Starts full. */
void limit_init(struct limit *l, unsigned burst, struct mono now);
/* Takes one token; false when there is none. */
bool limit_take(struct limit *l, unsigned per_second, unsigned burst, struct mono now);

#endif
