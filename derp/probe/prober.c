#include "prober.h"

#include <stdlib.h>

#include "log.h"
#include "metric.h"
#include "metrics_relay.h"
#include "pairprobe.h"
#include "relay.h"

enum { AT_ONCE = 8, LEAST_PAUSE_MS = 500, FIRST_MS = 5000 /* links of the mesh stand by then */ };

struct target {
	struct figure figure; /* .at.ms 0: none yet */
	bool begun;           /* in this round */
	bool fresh, said;     /* not taken by a coordinator yet; in the announcement on its way */
	bool was_good, was_bad;
};

struct running {
	struct prober *prober;
	struct pairprobe *probe;
	size_t target;
};

struct prober {
	struct loop *loop;
	const struct relay *relay;
	int64_t interval_ms;
	char key[KEY_TEXT_MAX];
	struct peers peers;
	struct target *target;
	struct running running[AT_ONCE];
	size_t running_count, begin_at;
	bool wants;    /* peers, with the next announcement */
	uint64_t from; /* those behind it */
	struct mono begun;
	struct timer next;
	struct defer filling, telling;
	struct figure said[PEERS_MAX];
};

/* ---- metrics ---- */

enum { PARTS = 4 };

static void on_telling(void *context)
{
	static const char *const part[PARTS] = {"connect", "trip", "stun", "mesh"};
	struct prober *p = context;
	struct metric_told seconds[PEERS_MAX * PARTS], good[PEERS_MAX];
	const char *labels[PEERS_MAX][PARTS][2];
	size_t measured = 0, probed = 0;
	for (size_t i = 0; i < p->peers.count; i++) {
		const struct figure *f = &p->target[i].figure;
		const int64_t us[PARTS] = {f->connect_us, f->trip_us, f->stun_us, f->mesh_us};
		for (unsigned k = 0; k < PARTS && f->at.ms; k++) {
			labels[i][k][0] = p->peers.peer[i].at.name;
			labels[i][k][1] = part[k];
			if (us[k] != FIGURE_UNKNOWN)
				seconds[measured++] = (struct metric_told){labels[i][k], us[k]};
		}
		if (f->at.ms)
			good[probed++] = (struct metric_told){labels[i][0], p->target[i].was_good};
	}
	metric_tell(&relay_metrics[RELAY_PROBE_SECONDS], seconds, measured);
	metric_tell(&relay_metrics[RELAY_PROBE_GOOD], good, probed);
}

/* ---- a round ---- */

static bool mesh_runs(const struct prober *p)
{
	for (unsigned i = 0; i < AT_ONCE; i++)
		if (p->running[i].probe && p->peers.peer[p->running[i].target].mesh)
			return true;
	return false;
}

/* The next one that may begin now; false when none. */
static bool choose(const struct prober *p, size_t *target)
{
	bool mesh = mesh_runs(p);
	for (size_t i = 0; i < p->peers.count; i++) {
		*target = (p->begin_at + i) % p->peers.count;
		if (!p->target[*target].begun && !(mesh && p->peers.peer[*target].mesh))
			return true;
	}
	return false;
}

static void note(struct prober *p, size_t at, const struct figure *f, const char *why)
{
	struct target *t = &p->target[at];
	bool good = figure_is_good(f);
	relay_count_at(RELAY_PROBES, f->relay == FIGURE_OK && !good ? FIGURE_KIND_COUNT : f->relay, 1);
	if (!good && !t->was_bad)
		log_warning(SUBJECT("probe"), "a relay does not answer as it should", F_TEXT("relay", p->peers.peer[at].at.name), F_TEXT("reason", why));
	else if (good && t->was_bad)
		log_info(SUBJECT("probe"), "a relay answers again", F_TEXT("relay", p->peers.peer[at].at.name));
	t->figure = *f;
	t->was_good = good;
	t->was_bad = !good;
	t->fresh = true;
	t->said = false;
	loop_defer(p->loop, &p->telling);
}

static void on_probed(void *context, const struct figure *f, const char *why)
{
	struct running *r = context;
	note(r->prober, r->target, f, why);
	pairprobe_free(&r->probe);
	r->prober->running_count--;
	loop_defer(r->prober->loop, &r->prober->filling);
}

static void end_round(struct prober *p)
{
	int64_t took = loop_now(p->loop).ms - p->begun.ms, spread = p->interval_ms / 5 + 1;
	int64_t pause = p->interval_ms - spread / 2 + (int64_t)(random_number() % (uint64_t)spread) - took;
	p->from = p->peers.more && p->peers.count ? p->peers.peer[p->peers.count - 1].id : 0;
	timer_set(&p->next, pause < LEAST_PAUSE_MS ? LEAST_PAUSE_MS : pause);
}

static void on_filling(void *context)
{
	struct prober *p = context;
	size_t target;
	for (unsigned i = 0; i < AT_ONCE; i++) {
		struct running *r = &p->running[i];
		if (r->probe || !choose(p, &target))
			continue;
		p->target[target].begun = true;
		*r = (struct running){.prober = p, .target = target};
		r->probe = pairprobe_new(p->loop, p->relay, &p->peers.peer[target], on_probed, r);
		p->running_count++;
	}
	if (!p->running_count)
		end_round(p);
}

static void on_next(void *context)
{
	struct prober *p = context;
	p->wants = true;
}

/* ---- what is said and heard ---- */

void prober_say(struct prober *p, struct announcement *a)
{
	size_t count = 0;
	for (size_t i = 0; i < p->peers.count; i++) {
		p->target[i].said = p->target[i].fresh;
		if (p->target[i].fresh)
			p->said[count++] = p->target[i].figure;
	}
	a->probe_key = p->key;
	a->wants_peers = p->wants;
	a->peers_from = p->from;
	a->figures = p->said;
	a->figure_count = count;
}

/* Of those that are named again, what is known of them. */
static void take(struct prober *p, struct peers *named)
{
	struct target *fresh = x_zalloc((named->count + 1) * sizeof *fresh);
	for (size_t i = 0; i < named->count; i++)
		for (size_t k = 0; k < p->peers.count; k++)
			if (p->peers.peer[k].id == named->peer[i].id)
				fresh[i] = p->target[k];
	for (size_t i = 0; i < named->count; i++)
		fresh[i].begun = false;
	peers_clear(&p->peers);
	free(p->target);
	p->peers = *named;
	p->target = fresh;
	loop_defer(p->loop, &p->telling);
}

void prober_heard(struct prober *p, const json_t *answer)
{
	struct peers named = {0};
	for (size_t i = 0; i < p->peers.count; i++) {
		p->target[i].fresh &= !p->target[i].said;
		p->target[i].said = false;
	}
	if (!p->wants || !peers_read(answer, &named))
		return;
	p->wants = false;
	take(p, &named);
	p->begun = loop_now(p->loop);
	p->begin_at = p->peers.count ? (size_t)(random_number() % p->peers.count) : 0;
	loop_defer(p->loop, &p->filling);
}

/* ---- life ---- */

struct prober *prober_new(struct loop *loop, const struct relay *relay, int64_t interval_ms)
{
	struct prober *p = x_zalloc(sizeof *p);
	p->loop = loop;
	p->relay = relay;
	p->interval_ms = interval_ms;
	key_format_node(p->key, &relay->probes.key[PROBEKEYS_TOLD].node);
	timer_init(&p->next, loop, on_next, p);
	defer_init(&p->filling, on_filling, p);
	defer_init(&p->telling, on_telling, p);
	timer_set(&p->next, interval_ms < FIRST_MS ? interval_ms : FIRST_MS);
	return p;
}

void prober_free(struct prober **prober)
{
	struct prober *p = *prober;
	*prober = NULL;
	if (!p)
		return;
	timer_cancel(&p->next);
	defer_cancel(&p->filling);
	defer_cancel(&p->telling);
	metric_tell(&relay_metrics[RELAY_PROBE_SECONDS], NULL, 0);
	metric_tell(&relay_metrics[RELAY_PROBE_GOOD], NULL, 0);
	for (unsigned i = 0; i < AT_ONCE; i++)
		pairprobe_free(&p->running[i].probe);
	peers_clear(&p->peers);
	free(p->target);
	free(p);
}
