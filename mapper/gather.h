/* How long changes gather before they are told: short when calm, longer as there is more to say or more waits unsent. Pure. */
#ifndef GATHER_H
#define GATHER_H

#include <stddef.h>
#include <stdint.h>

struct gather_load {
	size_t moved;     /* node slots that moved since the last tick */
	size_t unsent;    /* bytes waiting at the busiest coordinator */
	uint64_t cost_us; /* what the last tick cost */
};

/* Milliseconds between `least` and `most`. */
int64_t gather_ms(int64_t least, int64_t most, const struct gather_load *load);

#endif
