/* How long after one tick of deltas the next may come: soon when calm, later the more frames the last one was, the more waits unsent, the more it cost.
 * So a churning tailnet costs so many frames a second, whatever the rate of its changes is; and a change in a calm one goes out at once. Pure. */
#ifndef GATHER_H
#define GATHER_H

#include <stddef.h>
#include <stdint.h>

struct gather_load {
	size_t frames;    /* deltas of the last tick, one for each stream */
	size_t unsent;    /* bytes waiting at the busiest coordinator */
	uint64_t cost_us; /* of the last tick, here */
};

/* Milliseconds between `least` and `most`. */
int64_t gather_ms(int64_t least, int64_t most, const struct gather_load *load);

#endif
