/* A histogram of durations in microseconds, exact to about 1.5 %: percentiles of millions of values in 16 KiB.
 * Not a time series, and it reads no clock.
 * A plain value; zero-initialised is empty. */
#ifndef STATS_H
#define STATS_H

#include <stdint.h>

enum { STATS_SUB = 64, STATS_BUCKETS = 32 * STATS_SUB };

struct stats {
	uint64_t count[STATS_BUCKETS];
	uint64_t total, max;
};

void stats_add(struct stats *s, uint64_t us);
/* The value that `share` (0 to 1) of all do not pass; 0 when empty, never more than the largest value added. */
uint64_t stats_quantile(const struct stats *s, double share);

#endif
