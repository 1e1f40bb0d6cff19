/* Metrics declared in tables, counted per thread without locks, summed when read; Prometheus text out.
 * Not a histogram library: METRIC_HISTOGRAM has fixed power-of-two buckets of microseconds.
 * Declarations are static; a program registers its tables once, before its threads start. */
#ifndef METRIC_H
#define METRIC_H

#include "buffer.h"

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM, METRIC_TOLD };

/* `name` without prefix ("fleetscale_" is put before it), in Prometheus manner: sessions_open, packets_dropped_total. `label` may be NULL;
 * with a label, `values` is a NULL-terminated list and each value is a series. Several labels go by commas, "reason,kind", and so do their values, "full,other".
 * A histogram whose label is "le" has bounds of its own: the values, as numbers that grow. */
struct metric {
	const char *name;
	enum metric_type type;
	const char *help;
	const char *label;
	const char *const *values;
	unsigned slot; /* filled by metric_register */
};

/* Tables end with a member whose name is NULL. At most 16 tables and 1024 slots in all (a histogram takes 24). Registering twice is legal;
 * what is not registered is not counted. A histogram whose name ends in "_seconds" is written in seconds, any other in microseconds, or in what its bounds count. */
void metric_register(struct metric *table);
void metric_add(const struct metric *metric, int64_t amount);                    /* counters and gauges, from any thread */
void metric_add_at(const struct metric *metric, unsigned value, int64_t amount); /* the series of values[value] */
/* Of all threads, now. Of a histogram with bounds of its own: what fell between the bound before and this one; then what is above all; then the sum. */
int64_t metric_sum(const struct metric *metric, unsigned value);
void metric_observe_us(const struct metric *metric, uint64_t us);
/* Of a histogram with bounds of its own: `bucket` counts them, the one above all comes last. The amount of a "_seconds" one is in microseconds. */
void metric_observe_at(const struct metric *metric, unsigned bucket, int64_t amount);

/* A METRIC_TOLD is a gauge whose series are known only while the program runs: its table names the labels, values NULL. Here are all of them, one value per label, in order;
 * copied. One whose name ends in "_seconds" is told in microseconds. Told again they replace what was told, no series (0) included. From any thread. At most 4 such metrics, 8 labels, and 1 MiB each: what is beyond is left out. */
struct metric_told {
	const char *const *values;
	int64_t value;
};
void metric_tell(const struct metric *metric, const struct metric_told *series, size_t count);
MUST_USE enum err metric_write(struct buffer *out);      /* Prometheus text exposition 0.0.4 */
MUST_USE enum err metric_write_docs(struct buffer *out); /* Markdown table for docs/metrics.md */

#endif
