#include "scenario.h"

#include <stdio.h>
#include <stdlib.h>

enum {
	BRING_SECONDS = 100, /* a client gives up after 120 s */
	SETTLE_MS = 10000,   /* whoever has not heard by then has missed it */
	QUIET_MS = 300,
	IDLE_MS = 3000,
	LAG_MOST_US = 5000, /* a generator later than this measures itself */
	PROBES = 1000,      /* handshakes, lone registrations */
	PROBE_WINDOW = 16,
	CALM_RATE = 2 /* a second: the last one has long reached all */
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

/* --- spans of time ------------------------------------------------------------------------------------------------------------------------ */

struct span {
	struct usage from, to;
	uint64_t from_us, to_us, wire, frames;
	double cpu, net, seconds; /* net: without what an idle stack costs */
};

static void span_open(struct run *r, struct span *span)
{
	procs_measure(&r->options->procs, &span->from);
	span->wire = fleet_wire_bytes(&r->fleet);
	span->frames = r->fleet.frames;
	span->from_us = clock_mono_us();
}

static void span_close(struct run *r, struct span *span)
{
	span->to_us = clock_mono_us();
	procs_measure(&r->options->procs, &span->to);
	span->seconds = (double)(span->to_us - span->from_us) / 1e6;
	span->cpu = usage_cpu(&r->options->procs, &span->from, &span->to, "");
	span->net = span->cpu - r->idle * span->seconds;
	span->wire = fleet_wire_bytes(&r->fleet) - span->wire;
	span->frames = r->fleet.frames - span->frames;
}

static void add(struct run *r, const char *scenario, const char *name, double value, const char *unit)
{
	figures_add(r->figures, scenario, r->options->nodes, name, value, unit);
}

static void promise(struct run *r, const char *scenario, const char *name, double value)
{
	figures_promise(r->figures, scenario, r->options->nodes, name, value);
}

/* Which program the time went to. */
static void add_shares(struct run *r, const char *scenario, const struct span *span, double per, const char *unit)
{
	static const char *const programs[] = {"coordinator", "mapper", "postgres", "redis", "derp"};

	for (size_t i = 0; i < COUNT_OF(programs); i++) {
		char name[FIGURES_TEXT];

		snprintf(name, sizeof name, "  of it %s", programs[i]);
		add(r, scenario, name, usage_cpu(&r->options->procs, &span->from, &span->to, programs[i]) * 1e6 / per, unit);
	}
}

/* How far to believe the rest: who else used the processors meanwhile. */
static void add_busy(struct run *r, const char *scenario, const struct span *span)
{
	double own = span->to.own_s - span->from.own_s, others = span->to.machine_s - span->from.machine_s - own - span->cpu;

	add(r, scenario, "CPU of the stack", span->cpu / span->seconds * 100, "%");
	add(r, scenario, "CPU of the generator", own / span->seconds * 100, "%");
	add(r, scenario, "CPU of strangers on this machine", others / span->seconds * 100, "%");
}

static void add_times(struct run *r, const char *scenario, const char *name, const struct stats *stats)
{
	char text[FIGURES_TEXT];

	snprintf(text, sizeof text, "%s p50", name);
	add(r, scenario, text, (double)stats_quantile(stats, 0.5) / 1e3, "ms");
	snprintf(text, sizeof text, "%s p99", name);
	add(r, scenario, text, (double)stats_quantile(stats, 0.99) / 1e3, "ms");
	snprintf(text, sizeof text, "%s max", name);
	add(r, scenario, text, (double)stats->max / 1e3, "ms");
}

static void compare(struct run *r, const char *scenario)
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
	promise(r, scenario, "model clients: peers that differ", (double)wrong);
	promise(r, scenario, "model clients: strangers", (double)strangers);
	promise(r, scenario, "bots that failed", r->fleet.failed);
}

/* --- S1 ----------------------------------------------------------------------------------------------------------------------------------- */

/* Bots of other identities that want no more than `goal`; CPU of each. */
static double probe(struct run *r, enum bot_goal goal, const char *auth_key, const char *name)
{
	struct bot_target target = r->options->target;
	unsigned count = r->options->nodes < PROBES ? r->options->nodes : PROBES;
	struct fleet fleet;
	struct span span;
	bool good;

	target.goal = goal;
	target.auth_key = auth_key;
	target.seed += 1 + (unsigned)goal;
	fleet_init(&fleet, &target, count, 0);
	span_open(r, &span);
	good = fleet_bring(&fleet, 0, count, PROBE_WINDOW, BRING_SECONDS);
	span_close(r, &span);
	if (!good)
		fprintf(stderr, "fleetload: %s: %u of %u served; %s\n", name, fleet.served, count, fleet.why_failed);
	promise(r, "S1", "probes not served", good ? 0 : count - fleet.served);
	add(r, "S1", name, span.net * 1e6 / count, "us CPU each");
	add_shares(r, "S1", &span, count, "us CPU each");
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
	add(r, scenario, "all served after", (double)(clock_mono_us() - span.from_us) / 1e6, "s");
	fleet_quiet(&r->fleet, QUIET_MS, SETTLE_MS);
	span_close(r, &span);
	add(r, scenario, "quiet after", span.seconds - QUIET_MS / 1e3, "s");
	add(r, scenario, "CPU until quiet", span.cpu, "s");
	add(r, scenario, "CPU per client", span.cpu * 1e6 / count, "us");
	add_shares(r, scenario, &span, count, "us");
	add_busy(r, scenario, &span);
	add_times(r, scenario, "served", &r->fleet.served_us);
	add(r, scenario, "bytes per client", (double)span.wire / count, "B");
	add(r, scenario, "delta frames per client", (double)span.frames / count, "");
	compare(r, scenario);
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
		add(r, "M", name, empty / 1024, "KiB");
		snprintf(name, sizeof name, "resident per idle stream, %s", programs[i]);
		add(r, "M", name, (full - empty) / 1024 / o->nodes, "KiB");
	}
	add(r, "M", "CPU of the idle stack", r->idle * 1e3, "ms/s");
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
	add(r, "M", "bytes per peer of a full map", (double)r->fleet.first_bytes / (r->options->nodes - 1), "B");
	add(r, "M", "CPU of a lone reconnect", span.net * 1e6 / TIMES, "us");
	compare(r, "M");
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

static void settle(struct run *r, struct ledger *ledger)
{
	int64_t end = clock_mono().ms + SETTLE_MS;

	while (!ledger_settled(ledger) && clock_mono().ms < end)
		fleet_turn(&r->fleet, 20);
	fleet_quiet(&r->fleet, QUIET_MS, SETTLE_MS);
}

static void add_outcome(struct run *r, const char *scenario, const struct ledger *ledger, const struct span *span, const struct stats *lag)
{
	static struct outcome outcome;
	double each;

	ledger_judge(ledger, &outcome);
	each = outcome.delivered ? span->net * 1e6 / (double)outcome.delivered : 0;
	add(r, scenario, "events", (double)ledger->count, "");
	add(r, scenario, "delivered", (double)outcome.delivered, "");
	add(r, scenario, "superseded", (double)outcome.superseded, "");
	promise(r, scenario, "missed", (double)outcome.missed);
	promise(r, scenario, "duplicate", (double)outcome.duplicate);
	promise(r, scenario, "reordered", (double)outcome.reordered);
	promise(r, scenario, "leaked", (double)outcome.leaked);
	add(r, scenario, "CPU per delivery", each, "us");
	if (r->options->floor_us > 0)
		add(r, scenario, "CPU per delivery, in floors", each / r->options->floor_us, "x");
	add(r, scenario, "  with the idle stack's CPU", outcome.delivered ? span->cpu * 1e6 / (double)outcome.delivered : 0, "us");
	add_shares(r, scenario, span, outcome.delivered ? (double)outcome.delivered : 1, "us");
	add_busy(r, scenario, span);
	add(r, scenario, "frames per delivery", outcome.delivered ? (double)span->frames / (double)outcome.delivered : 0, "");
	add(r, scenario, "bytes per delivery", outcome.delivered ? (double)span->wire / (double)outcome.delivered : 0, "B");
	add_times(r, scenario, "latency", &ledger->latency);
	add_times(r, scenario, "last peer", &outcome.last);
	add(r, scenario, "generator lag p99", (double)stats_quantile(lag, 0.99) / 1e3,
	    lag->total && stats_quantile(lag, 0.99) > LAG_MOST_US ? "ms VOID" : "ms");
	add(r, scenario, "generator lag max", (double)lag->max / 1e3, "ms");
}

static void begin(struct run *r, struct ledger *ledger, size_t events)
{
	ledger_init(ledger, r->next_event, r->fleet.count, events);
	r->fleet.ledger = ledger;
}

static void finish(struct run *r, struct ledger *ledger)
{
	r->next_event += (uint32_t)ledger->count;
	r->fleet.ledger = NULL;
	ledger_clear(ledger);
}

static void moves(struct run *r, const char *scenario, unsigned rate, unsigned seconds)
{
	struct ledger ledger;
	struct stats *lag = x_zalloc(sizeof *lag);
	struct span span;
	uint64_t from_us;

	begin(r, &ledger, (size_t)rate * seconds);
	span_open(r, &span);
	from_us = clock_mono_us();
	for (uint64_t i = 0; i < (uint64_t)rate * seconds; i++) {
		uint64_t due_us = from_us + i * 1000000 / rate;

		await(r, lag, due_us);
		move(r, &ledger, due_us);
	}
	settle(r, &ledger);
	span_close(r, &span);
	add_outcome(r, scenario, &ledger, &span, lag);
	compare(r, scenario);
	finish(r, &ledger);
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

	begin(r, &ledger, (size_t)count * 2);
	span_open(r, &span);
	from_us = clock_mono_us();
	for (unsigned i = 0; i < count; i++) {
		uint64_t due_us = from_us + (uint64_t)i * 1000000;

		await(r, lag, due_us);
		join(r, &ledger, r->options->nodes + i, due_us);
	}
	settle(r, &ledger);
	span_close(r, &span);
	ledger_judge(&ledger, &outcome);
	add(r, "J", "CPU per join", span.net * 1e3 / count, "ms");
	add_shares(r, "J", &span, count, "us");
	add_times(r, "J", "last peer knows name, endpoint", &outcome.last);
	add(r, "J", "bytes per join and peer", (double)span.wire / count / r->options->nodes, "B");
	add(r, "J", "frames per join and peer", (double)span.frames / count / r->options->nodes, "");
	promise(r, "J", "missed", (double)outcome.missed);
	promise(r, "J", "duplicate", (double)outcome.duplicate);
	promise(r, "J", "leaked", (double)outcome.leaked);
	add(r, "J", "generator lag max", (double)lag->max / 1e3, "ms");
	compare(r, "J");
	finish(r, &ledger);
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
		double handshake = probe(&run, BOT_HANDSHAKE, target.auth_key, "handshake, with connect");

		if (options->other_auth_key)
			add(&run, "S1", "registration alone", probe(&run, BOT_REGISTER, options->other_auth_key, "registration, with handshake") - handshake,
			    "us CPU each");
		procs_measure(&options->procs, &run.empty);
	}
	good = storm(&run, "S1", options->nodes);
	if (good)
		after_storm(&run);
	fleet_clear(&run.fleet);
	return good;
}
