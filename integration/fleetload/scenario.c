#include "scenario.h"

#include <stdio.h>
#include <stdlib.h>

#include "edits.h"
#include "run.h"

enum {
	IDLE_MS = 3000,
	LAG_MOST_US = 5000, /* a generator later than this measures itself */
	PROBES = 1000,      /* handshakes, lone registrations */
	PROBE_WINDOW = 16,
	CALM_RATE = 2 /* a second: the last one has long reached all */
};

/* --- S1 ----------------------------------------------------------------------------------------------------------------------------------- */

/* Bots of other identities that want no more than `goal`; CPU of each. */
static double probe(struct run *r, enum bot_goal goal, const char *const *auth_keys, size_t auth_key_count, const char *name)
{
	struct bot_target target = r->options->target;
	unsigned count = r->options->nodes < PROBES ? r->options->nodes : PROBES;
	struct fleet fleet;
	struct span span;
	bool good;

	target.goal = goal;
	target.auth_keys = auth_keys;
	target.auth_key_count = auth_key_count;
	target.seed += 1 + (unsigned)goal;
	fleet_init(&fleet, &target, count, 0);
	span_open(r, &span);
	good = fleet_bring(&fleet, 0, count, PROBE_WINDOW, BRING_SECONDS);
	span_close(r, &span);
	if (!good)
		fprintf(stderr, "fleetload: %s: %u of %u served; %s\n", name, fleet.served, count, fleet.why_failed);
	run_promise(r, "S1", "probes not served", good ? 0 : count - fleet.served);
	run_add(r, "S1", name, span.net * 1e6 / count, "us CPU each");
	run_add_shares(r, "S1", &span, count, "us CPU each");
	fleet_clear(&fleet);
	return span.net * 1e6 / count;
}

static bool storm(struct run *r, const char *scenario, unsigned count)
{
	const struct scenario_options *o = r->options;
	struct span span;
	bool good;

	memset(&r->fleet.served_us, 0, sizeof r->fleet.served_us);
	span_open(r, &span);
	good = fleet_bring(&r->fleet, 0, count, o->window, BRING_SECONDS);
	run_add(r, scenario, "all served after", (double)(clock_mono_us() - span.from_us) / 1e6, "s");
	fleet_quiet(&r->fleet, QUIET_MS, SETTLE_MS);
	span_close(r, &span);
	run_add(r, scenario, "quiet after", span.seconds - QUIET_MS / 1e3, "s");
	run_add(r, scenario, "CPU until quiet", span.cpu, "s");
	run_add(r, scenario, "CPU per client", span.cpu * 1e6 / count, "us");
	run_add_shares(r, scenario, &span, count, "us");
	run_add_busy(r, scenario, &span);
	run_add_times(r, scenario, "served", &r->fleet.served_us);
	run_add(r, scenario, "bytes per client", (double)span.wire / count, "B");
	run_add(r, scenario, "delta frames per client", (double)span.frames / count, "");
	run_compare(r, scenario);
	return good;
}

static void measure_idle(struct run *r)
{
	struct span span;

	r->idle = 0;
	span_open(r, &span);
	fleet_rest(&r->fleet, IDLE_MS);
	span_close(r, &span);
	r->idle = span.cpu / span.seconds;
}

/* --- M ------------------------------------------------------------------------------------------------------------------------------------ */

static void memory(struct run *r)
{
	static const char *const programs[] = {"coordinator", "mapper"};
	const struct scenario_options *o = r->options;
	struct usage now;

	procs_measure(&o->procs, &now);
	for (size_t i = 0; i < COUNT_OF(programs); i++) {
		char name[FIGURES_TEXT];
		double empty = (double)usage_rss(&o->procs, &r->empty, programs[i]), full = (double)usage_rss(&o->procs, &now, programs[i]);

		snprintf(name, sizeof name, "resident of %ss, empty", programs[i]);
		run_add(r, "M", name, empty / 1024, "KiB");
		snprintf(name, sizeof name, "resident per idle stream, %s", programs[i]);
		run_add(r, "M", name, (full - empty) / 1024 / o->nodes, "KiB");
	}
	run_add(r, "M", "CPU of the idle stack", r->idle * 1e3, "ms/s");
}

static void full_map(struct run *r)
{
	enum { TIMES = 10 };
	struct span span;

	span_open(r, &span);
	for (unsigned i = 0; i < TIMES; i++) {
		fleet_drop(&r->fleet, 0, 1);
		if (!fleet_bring(&r->fleet, 0, 1, 1, 10))
			break;
		fleet_quiet(&r->fleet, 50, 2000);
	}
	span_close(r, &span);
	run_add(r, "M", "bytes per peer of a full map", (double)r->fleet.first_bytes / (r->options->nodes - 1), "B");
	run_add(r, "M", "CPU of a lone reconnect", span.net * 1e6 / TIMES, "us");
	run_compare(r, "M");
}

/* --- S2 ----------------------------------------------------------------------------------------------------------------------------------- */

static uint64_t draw(struct run *r)
{
	r->random ^= r->random << 13;
	r->random ^= r->random >> 7;
	r->random ^= r->random << 17;
	return r->random;
}

static void await(struct run *r, struct stats *lag, uint64_t due_us)
{
	uint64_t now;

	while ((now = clock_mono_us()) < due_us)
		fleet_turn(&r->fleet, (int64_t)((due_us - now) / 1000));
	stats_add(lag, now - due_us);
}

static void move(struct run *r, struct ledger *ledger, uint64_t due_us)
{
	unsigned mover = (unsigned)(draw(r) % r->options->nodes);
	uint32_t event = ledger_inject(ledger, TOKEN_MOVE, mover, due_us, r->fleet.served_bits);

	bot_report(&r->fleet.bots[mover], token_endpoint(event));
}

static void add_outcome(struct run *r, const char *scenario, const struct ledger *ledger, const struct span *span, const struct stats *lag)
{
	static struct outcome outcome;
	double each;

	ledger_judge(ledger, &outcome);
	each = outcome.delivered ? span->net * 1e6 / (double)outcome.delivered : 0;
	run_add(r, scenario, "events", (double)ledger->count, "");
	run_add(r, scenario, "delivered", (double)outcome.delivered, "");
	run_add(r, scenario, "superseded", (double)outcome.superseded, "");
	run_promise(r, scenario, "missed", (double)outcome.missed);
	run_promise(r, scenario, "duplicate", (double)outcome.duplicate);
	run_promise(r, scenario, "reordered", (double)outcome.reordered);
	run_promise(r, scenario, "leaked", (double)outcome.leaked);
	run_add(r, scenario, "CPU per delivery", each, "us");
	if (r->options->floor_us > 0)
		run_add(r, scenario, "CPU per delivery, in floors", each / r->options->floor_us, "x");
	run_add(r, scenario, "  with the idle stack's CPU", outcome.delivered ? span->cpu * 1e6 / (double)outcome.delivered : 0, "us");
	run_add_shares(r, scenario, span, outcome.delivered ? (double)outcome.delivered : 1, "us");
	run_add_busy(r, scenario, span);
	run_add(r, scenario, "frames per delivery", outcome.delivered ? (double)span->frames / (double)outcome.delivered : 0, "");
	run_add(r, scenario, "bytes per delivery", outcome.delivered ? (double)span->wire / (double)outcome.delivered : 0, "B");
	run_add_times(r, scenario, "latency", &ledger->latency);
	run_add_times(r, scenario, "last peer", &outcome.last);
	run_add(r, scenario, "generator lag p99", (double)stats_quantile(lag, 0.99) / 1e3,
		lag->total && stats_quantile(lag, 0.99) > LAG_MOST_US ? "ms VOID" : "ms");
	run_add(r, scenario, "generator lag max", (double)lag->max / 1e3, "ms");
}

static void moves(struct run *r, const char *scenario, unsigned rate, unsigned seconds)
{
	struct ledger ledger;
	struct stats *lag = x_zalloc(sizeof *lag);
	struct span span;
	uint64_t from_us;

	run_begin(r, &ledger, (size_t)rate * seconds);
	span_open(r, &span);
	from_us = clock_mono_us();
	for (uint64_t i = 0; i < (uint64_t)rate * seconds; i++) {
		uint64_t due_us = from_us + i * 1000000 / rate;

		await(r, lag, due_us);
		move(r, &ledger, due_us);
	}
	run_settle(r, &ledger);
	span_close(r, &span);
	add_outcome(r, scenario, &ledger, &span, lag);
	run_compare(r, scenario);
	run_finish(r, &ledger);
	free(lag);
}

/* --- J ------------------------------------------------------------------------------------------------------------------------------------ */

/* A joining node is two facts: its name, and the endpoint that it tells when its stream is open. */
static void join(struct run *r, struct ledger *ledger, unsigned number, uint64_t due_us)
{
	struct bot *b = &r->fleet.bots[number];
	uint32_t name = ledger_inject(ledger, TOKEN_JOIN, number, due_us, r->fleet.served_bits);
	uint32_t endpoint = ledger_inject(ledger, TOKEN_MOVE, number, due_us, r->fleet.served_bits);

	token_name(b->name, name);
	b->endpoint = token_endpoint(endpoint);
	bot_start(b);
}

static void joins(struct run *r)
{
	struct ledger ledger;
	struct stats *lag = x_zalloc(sizeof *lag);
	static struct outcome outcome;
	struct span span;
	uint64_t from_us;
	unsigned count = r->options->joins;

	run_begin(r, &ledger, (size_t)count * 2);
	span_open(r, &span);
	from_us = clock_mono_us();
	for (unsigned i = 0; i < count; i++) {
		uint64_t due_us = from_us + (uint64_t)i * 1000000;

		await(r, lag, due_us);
		join(r, &ledger, r->options->nodes + i, due_us);
	}
	run_settle(r, &ledger);
	span_close(r, &span);
	ledger_judge(&ledger, &outcome);
	run_add(r, "J", "CPU per join", span.net * 1e3 / count, "ms");
	run_add_shares(r, "J", &span, count, "us");
	run_add_times(r, "J", "last peer knows name, endpoint", &outcome.last);
	run_add(r, "J", "bytes per join and peer", (double)span.wire / count / r->options->nodes, "B");
	run_add(r, "J", "frames per join and peer", (double)span.frames / count / r->options->nodes, "");
	run_promise(r, "J", "missed", (double)outcome.missed);
	run_promise(r, "J", "duplicate", (double)outcome.duplicate);
	run_promise(r, "J", "leaked", (double)outcome.leaked);
	run_add(r, "J", "generator lag max", (double)lag->max / 1e3, "ms");
	run_compare(r, "J");
	run_finish(r, &ledger);
	free(lag);
}

/* --- all ---------------------------------------------------------------------------------------------------------------------------------- */

static void after_storm(struct run *r)
{
	const struct scenario_options *o = r->options;

	measure_idle(r);
	if (o->what & SCENARIO_M) {
		memory(r);
		full_map(r);
	}
	if (o->what & SCENARIO_S2) {
		moves(r, "S2 calm", CALM_RATE, 2 * o->seconds);
		moves(r, "S2 10/s", 10, o->seconds);
		moves(r, "S2 50/s", 50, o->seconds);
		moves(r, "S2 500/s", 500, o->seconds);
	}
	if (o->what & SCENARIO_J)
		joins(r);
	if (o->what & SCENARIO_S5)
		edits(r);
	if (o->what & SCENARIO_R) {
		fleet_drop(&r->fleet, 0, r->fleet.count);
		r->idle = 0;
		storm(r, "R", o->what & SCENARIO_J ? r->fleet.count : o->nodes);
	}
}

bool scenario_run(const struct scenario_options *options, struct figures *figures)
{
	struct run run = {.options = options, .figures = figures, .random = options->target.seed | 1, .next_event = 1};
	struct bot_target target = options->target;
	bool good;

	procs_measure(&options->procs, &run.empty);
	target.goal = BOT_MAP;
	fleet_init(&run.fleet, &target, options->nodes + options->joins, options->models);
	if (options->what & SCENARIO_S1) {
		double handshake = probe(&run, BOT_HANDSHAKE, target.auth_keys, target.auth_key_count, "handshake, with connect");

		if (options->other_auth_key)
			run_add(&run, "S1", "registration alone",
				probe(&run, BOT_REGISTER, &options->other_auth_key, 1, "registration, with handshake") - handshake, "us CPU each");
		procs_measure(&options->procs, &run.empty);
	}
	good = storm(&run, "S1", options->nodes);
	if (good)
		after_storm(&run);
	fleet_clear(&run.fleet);
	return good;
}
