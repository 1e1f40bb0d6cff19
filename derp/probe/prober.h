/* Probes of every relay that coordinators name, round after round, and what they found, for coordinators and metrics.
 * Not one probe (pairprobe.h). On the first shard's loop; few at once, those through the mesh one by one, since they share a key.
 * The shard owns it. Source: docs/protocol/derp.md, probes. */
#ifndef PROBER_H
#define PROBER_H

#include <jansson.h>

#include "announcement.h"
#include "loop.h"

struct prober;
struct relay;

/* interval_ms: from round to round, more or less. */
struct prober *prober_new(struct loop *loop, const struct relay *relay, int64_t interval_ms);
void prober_free(struct prober **prober); /* accepts NULL, leaves NULL */
/* What goes into the announcement that is said now. */
void prober_say(struct prober *prober, struct announcement *announcement);
/* A coordinator took what was said last. */
void prober_heard(struct prober *prober, const json_t *answer);

#endif
