#include "run.h"

#include <stdio.h>
#include <string.h>

void span_open(struct run *r, struct span *span)
{
	procs_measure(&r->options->procs, &span->from);
	span->wire = fleet_wire_bytes(&r->fleet);
	span->frames = r->fleet.frames;
	span->from_us = clock_mono_us();
}

void span_close(struct run *r, struct span *span)
{
	span->to_us = clock_mono_us();
	procs_measure(&r->options->procs, &span->to);
	span->seconds = (double)(span->to_us - span->from_us) / 1e6;
	span->cpu = usage_cpu(&r->options->procs, &span->from, &span->to, "");
	span->net = span->cpu - r->idle * span->seconds;
	span->wire = fleet_wire_bytes(&r->fleet) - span->wire;
	span->frames = r->fleet.frames - span->frames;
}

void run_add(struct run *r, const char *scenario, const char *name, double value, const char *unit)
{
	figures_add(r->figures, scenario, r->options->nodes, name, value, unit);
}

void run_promise(struct run *r, const char *scenario, const char *name, double value)
{
	figures_promise(r->figures, scenario, r->options->nodes, name, value);
}

void run_add_shares(struct run *r, const char *scenario, const struct span *span, double per, const char *unit)
{
	static const char *const programs[] = {"coordinator", "mapper", "postgres", "redis", "derp"};

	for (size_t i = 0; i < COUNT_OF(programs); i++) {
		char name[FIGURES_TEXT];

		snprintf(name, sizeof name, "  of it %s", programs[i]);
		run_add(r, scenario, name, usage_cpu(&r->options->procs, &span->from, &span->to, programs[i]) * 1e6 / per, unit);
	}
}

void run_add_busy(struct run *r, const char *scenario, const struct span *span)
{
	double own = span->to.own_s - span->from.own_s, others = span->to.machine_s - span->from.machine_s - own - span->cpu;

	run_add(r, scenario, "CPU of the stack", span->cpu / span->seconds * 100, "%");
	run_add(r, scenario, "CPU of the generator", own / span->seconds * 100, "%");
	run_add(r, scenario, "CPU of strangers on this machine", others / span->seconds * 100, "%");
}

void run_add_times(struct run *r, const char *scenario, const char *name, const struct stats *stats)
{
	char text[FIGURES_TEXT];

	snprintf(text, sizeof text, "%s p50", name);
	run_add(r, scenario, text, (double)stats_quantile(stats, 0.5) / 1e3, "ms");
	snprintf(text, sizeof text, "%s p99", name);
	run_add(r, scenario, text, (double)stats_quantile(stats, 0.99) / 1e3, "ms");
	snprintf(text, sizeof text, "%s max", name);
	run_add(r, scenario, text, (double)stats->max / 1e3, "ms");
}

void run_compare(struct run *r, const char *scenario)
{
	size_t strangers;
	char why[128];
	int64_t end = clock_mono().ms + SETTLE_MS;
	size_t wrong;

	while ((wrong = fleet_compare(&r->fleet, &strangers, why)) && clock_mono().ms < end)
		fleet_rest(&r->fleet, 100);
	if (wrong)
		fprintf(stderr, "fleetload: %s: model clients differ from the truth: %s\n", scenario, why);
	if (r->fleet.why_failed[0])
		fprintf(stderr, "fleetload: %s: %s\n", scenario, r->fleet.why_failed);
	run_promise(r, scenario, "model clients: peers that differ", (double)wrong);
	run_promise(r, scenario, "model clients: strangers", (double)strangers);
	run_promise(r, scenario, "bots that failed", r->fleet.failed);
}

void run_settle(struct run *r, struct ledger *ledger)
{
	int64_t end = clock_mono().ms + SETTLE_MS;

	while (!ledger_settled(ledger) && clock_mono().ms < end)
		fleet_turn(&r->fleet, 20);
	fleet_quiet(&r->fleet, QUIET_MS, SETTLE_MS);
}

void run_begin(struct run *r, struct ledger *ledger, size_t events)
{
	ledger_init(ledger, r->next_event, r->fleet.count, events);
	r->fleet.ledger = ledger;
}

void run_finish(struct run *r, struct ledger *ledger)
{
	r->next_event += (uint32_t)ledger->count;
	r->fleet.ledger = NULL;
	ledger_clear(ledger);
}
