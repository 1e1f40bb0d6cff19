/* A token bucket: so many at once, so many per second afterwards.
 * Not a clock: `now` is a parameter. Not what the tokens are: connections, lines of a log, bytes.
 * Plain values, embedded where they are needed. */
#ifndef LIMIT_H
#define LIMIT_H

#include "clock.h"

struct rate {
	uint64_t per_second, burst; /* no number above 10^12 */
};

/* All zero at the start: full. */
struct limit {
	int64_t thousandths; /* tokens there are, in thousandths */
	int64_t at_ms;       /* when that was */
	bool begun;
};

/* Takes one token; false when there is none. */
bool limit_take(struct limit *l, struct rate rate, struct mono now);
/* Takes `cost` tokens at once: 0. Or none, and milliseconds until there may be so many; INT64_MAX: never, since none come, or the cost is above the burst. */
int64_t limit_take_many(struct limit *l, uint64_t cost, struct rate rate, struct mono now);

#endif
