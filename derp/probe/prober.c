#include "prober.h"

#include <pthread.h>
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
	pthread_mutex_t lock; /* peers and targets: metrics are written by another thread */
	struct peers peers;
	struct target *target;
	struct running running[AT_ONCE];
	size_t running_count, begin_at;
	bool wants;    /* peers, with the next announcement */
	uint64_t from; /* those behind it */
	struct mono begun;
	struct timer next;
	struct defer filling;
	struct figure said[PEERS_MAX];
};

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
	pthread_mutex_lock(&p->lock);
	t->figure = *f;
	t->was_good = good;
	t->was_bad = !good;
	pthread_mutex_unlock(&p->lock);
	t->fresh = true;
	t->said = false;
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
	pthread_mutex_lock(&p->lock);
	struct peers old = p->peers;
	free(p->target);
	p->peers = *named;
	p->target = fresh;
	pthread_mutex_unlock(&p->lock);
	peers_clear(&old);
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

/* ---- metrics ---- */

static enum err write_one(struct buffer *out, const char *name, const char *target, const char *part, int64_t us)
{
	if (us == FIGURE_UNKNOWN)
		return ERR_NONE;
	return buffer_format(out, "fleetscale_%s{target=\"%s\",part=\"%s\"} %.6f\n", name, target, part, (double)us / 1e6);
}

static enum err write_target(struct buffer *out, const char *name, const struct figure *f)
{
	static const char seconds[] = "derp_probe_seconds";
	enum err e = write_one(out, seconds, name, "connect", f->connect_us);
	if (!e)
		e = write_one(out, seconds, name, "trip", f->trip_us);
	if (!e)
		e = write_one(out, seconds, name, "stun", f->stun_us);
	return e ? e : write_one(out, seconds, name, "mesh", f->mesh_us);
}

/* A name that coordinators said, as a label. */
static const char *label(char out[static TOLD_NAME_MAX + 1], const char *name)
{
	size_t len = 0;
	for (; name[len]; len++)
		out[len] = name[len] == '"' || name[len] == '\\' ? '_' : name[len];
	out[len] = '\0';
	return out;
}

static enum err write_metrics(void *context, struct buffer *out)
{
	struct prober *p = context;
	char name[TOLD_NAME_MAX + 1];
	pthread_mutex_lock(&p->lock);
	enum err e =
		buffer_add_text(out, "# HELP fleetscale_derp_probe_seconds Last probe of a relay: its handshakes, a packet to itself, STUN, a packet through "
				     "the mesh; what failed is left out.\n# TYPE fleetscale_derp_probe_seconds gauge\n");
	for (size_t i = 0; i < p->peers.count && !e; i++)
		if (p->target[i].figure.at.ms)
			e = write_target(out, label(name, p->peers.peer[i].at.name), &p->target[i].figure);
	if (!e)
		e = buffer_add_text(out, "# HELP fleetscale_derp_probe_good Whether all of the last probe of a relay was good.\n"
					 "# TYPE fleetscale_derp_probe_good gauge\n");
	for (size_t i = 0; i < p->peers.count && !e; i++)
		if (p->target[i].figure.at.ms)
			e = buffer_format(out, "fleetscale_derp_probe_good{target=\"%s\"} %d\n", label(name, p->peers.peer[i].at.name), p->target[i].was_good);
	pthread_mutex_unlock(&p->lock);
	return e;
}

/* ---- life ---- */

struct prober *prober_new(struct loop *loop, const struct relay *relay, int64_t interval_ms)
{
	struct prober *p = x_zalloc(sizeof *p);
	p->loop = loop;
	p->relay = relay;
	p->interval_ms = interval_ms;
	key_format_node(p->key, &relay->probes.key[PROBEKEYS_TOLD].node);
	pthread_mutex_init(&p->lock, NULL);
	timer_init(&p->next, loop, on_next, p);
	defer_init(&p->filling, on_filling, p);
	timer_set(&p->next, interval_ms < FIRST_MS ? interval_ms : FIRST_MS);
	metric_also(write_metrics, p);
	return p;
}

void prober_free(struct prober **prober)
{
	struct prober *p = *prober;
	*prober = NULL;
	if (!p)
		return;
	metric_also_not(write_metrics, p);
	timer_cancel(&p->next);
	defer_cancel(&p->filling);
	for (unsigned i = 0; i < AT_ONCE; i++)
		pairprobe_free(&p->running[i].probe);
	peers_clear(&p->peers);
	free(p->target);
	pthread_mutex_destroy(&p->lock);
	free(p);
}
