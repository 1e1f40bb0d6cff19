/* Metrics declared in tables, counted per thread without locks, summed when read; Prometheus text out.
 * Not a histogram library: METRIC_HISTOGRAM has fixed power-of-two buckets of microseconds.
 * Declarations are static; a program registers its tables once, before its threads start. */
#ifndef METRIC_H
#define METRIC_H

#include "buffer.h"

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

/* `name` without prefix ("fleetscale_" is put before it), in Prometheus manner: sessions_open, packets_dropped_total. `label` may be NULL;
 * with a label, `values` is a NULL-terminated list and each value is a series. */
struct metric {
	const char *name;
	enum metric_type type;
	const char *help;
	const char *label;
	const char *const *values;
	unsigned slot; /* filled by metric_register */
};

/* Tables end with a member whose name is NULL. At most 16 tables and 1024 slots in all (a histogram takes 24). Registering twice is legal;
 * what is not registered is not counted. A histogram whose name ends in "_seconds" is written in seconds, any other in microseconds;
 * it has no label. */
void metric_register(struct metric *table);
void metric_add(const struct metric *metric, int64_t amount);                    /* counters and gauges, from any thread */
void metric_add_at(const struct metric *metric, unsigned value, int64_t amount); /* the series of values[value] */
int64_t metric_sum(const struct metric *metric, unsigned value);                 /* of all threads, now; not of a histogram */
void metric_observe_us(const struct metric *metric, uint64_t us);
MUST_USE enum err metric_write(struct buffer *out);      /* Prometheus text exposition 0.0.4 */
MUST_USE enum err metric_write_docs(struct buffer *out); /* Markdown table for docs/metrics.md */

#endif
