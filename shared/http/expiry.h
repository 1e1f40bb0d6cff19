/* How long the certificates at the doors of this process are still good: a metric that counts down, and a line a day in the log when the end is near.
 * Not the certificates themselves (front.h), and nothing is done about them. Files are known by their names; of any thread.
 * One per process; what is held must be dropped. */
#ifndef EXPIRY_H
#define EXPIRY_H

#include <stdbool.h>
#include <stdint.h>

#include "metric.h"

/* For programs with TLS doors: to be registered before they open. */
enum { EXPIRY_SECONDS, EXPIRY_METRIC_COUNT };
extern struct metric expiry_metrics[EXPIRY_METRIC_COUNT + 1];

/* In the last fifth of its time, at most 14 days. Times are seconds since 1970. */
bool expiry_is_near(int64_t from, int64_t until, int64_t now);

/* A door shows the certificate of this file, good from `from` until `until`; again: it was read anew. Held as often as `fresh` says so. */
void expiry_note(const char *file, int64_t from, int64_t until, bool fresh);
void expiry_drop(const char *file);
/* Sets the metric, and complains if it is time to. Cheap. */
void expiry_look(int64_t now);

#endif
