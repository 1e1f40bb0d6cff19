/* What the scenarios of a run share: its fleet, spans of time with what they cost, rows of figures.
 * Not a scenario (scenario.h, edits.h).
 * The run owns its fleet; options and figures are the caller's. */
#ifndef RUN_H
#define RUN_H

#include "scenario.h"

enum {
	BRING_SECONDS = 100, /* a client gives up after 120 s */
	SETTLE_MS = 10000,   /* whoever has not heard by then has missed it */
	QUIET_MS = 300
};

struct run {
	const struct scenario_options *options;
	struct figures *figures;
	struct fleet fleet;
	struct usage empty; /* before the first bot */
	double idle;        /* CPU seconds per second with all connected and nothing happening */
	uint32_t next_event;
	uint64_t random;
};

struct span {
	struct usage from, to;
	uint64_t from_us, to_us, wire, frames;
	double cpu, net, seconds; /* net: without what an idle stack costs */
};

void span_open(struct run *r, struct span *span);
void span_close(struct run *r, struct span *span);

void run_add(struct run *r, const char *scenario, const char *name, double value, const char *unit);
void run_promise(struct run *r, const char *scenario, const char *name, double value);
/* Which program the time went to. */
void run_add_shares(struct run *r, const char *scenario, const struct span *span, double per, const char *unit);
/* How far to believe the rest: who else used the processors meanwhile. */
void run_add_busy(struct run *r, const char *scenario, const struct span *span);
void run_add_times(struct run *r, const char *scenario, const char *name, const struct stats *stats);
/* Model clients against the truth, within SETTLE_MS. */
void run_compare(struct run *r, const char *scenario);

/* Events of a phase: what comes in between is told to the ledger, run_settle waits until all have heard. */
void run_begin(struct run *r, struct ledger *ledger, size_t events);
void run_settle(struct run *r, struct ledger *ledger);
void run_finish(struct run *r, struct ledger *ledger);

#endif
