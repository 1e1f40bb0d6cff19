#include "routers.h"

#include <stdlib.h>

#include "act.h"
#include "ask.h"
#include "duty.h"
#include "log.h"
#include "online.h"
#include "primaries.h"
#include "table.h"

enum {
	LOOK_EVERY_MS = 1000,
	CONTESTS_MAX = 20000, /* rows of a look; a route that is cut off at its end waits for a quieter time */
	ROUTERS_MAX = 256,    /* of one route that are compared: more offer it than anybody can need */
	MISSES_MAX = 2        /* questions that may pass: one is lost whenever a stream is replaced */
};

/* A router that is asked whether it answers. Ends when a look does not find it. */
struct probe {
	struct routers *routers; /* NULL: ends with its answer */
	uint64_t tailnet, node, seen_in;
	struct machine_key machine_key;
	struct mono asked;
	unsigned misses;
	bool waits, unreachable;
};

/* Outlives its owner while answers are out: `c` is NULL then. */
struct routers {
	struct coordinator *c;
	struct timer look;
	struct table *probes; /* node -> struct probe */
	uint64_t looks;
	unsigned out;
};

static void probe_ask(struct probe *probe);

static void routers_answered(struct routers *r)
{
	r->out--;
	if (!r->c && !r->out)
		free(r);
}

struct move {
	struct routers *routers;
	uint64_t tailnet;
	const char *event;
};

static void on_written(void *context, enum err e, struct tx *tx, const struct diag *why)
{
	struct move *m = context;

	if (e && e != ERR_AGAIN && e != ERR_CONFLICT && e != ERR_CANCELED)
		log_warning(TAILNET(m->tailnet), m->event, F_ERR(e), F_TEXT("reason", why->text));
	else if (!e && tx_generation(tx))
		log_info(TAILNET(m->tailnet), m->event, F_UINT("generation", tx_generation(tx)));
	routers_answered(m->routers);
	free(m);
}

static void routers_commit(struct routers *r, struct tx *tx, uint64_t tailnet, const char *event)
{
	struct move *m = x_alloc(sizeof *m);

	*m = (struct move){r, tailnet, event};
	r->out++;
	act_commit(r->c, tx, on_written, m);
}

/* ---- does it answer? ---- */

static void tell_reachability(struct probe *probe, bool unreachable)
{
	struct routers *r = probe->routers;
	struct tx *tx = tx_begin(r->c->pg, probe->tailnet, TX_WRITE);

	probe->unreachable = unreachable;
	log_info(NODE(probe->tailnet, probe->node), unreachable ? "router does not answer" : "router answers again");
	primaries_set_unreachable(tx, probe->node, unreachable);
	routers_commit(r, tx, probe->tailnet, "reachability of routers");
}

static void on_answer(void *context, enum err e, struct bytes body)
{
	struct probe *probe = context;

	(void)body;
	probe->waits = false;
	if (!probe->routers) {
		free(probe);
		return;
	}
	if (e == ERR_TIMEOUT && ++probe->misses < MISSES_MAX) {
		probe_ask(probe);
		return;
	}
	if (!e)
		probe->misses = 0;
	if (!e && probe->unreachable)
		tell_reachability(probe, false);
	else if (e == ERR_TIMEOUT && !probe->unreachable)
		tell_reachability(probe, true);
}

static void probe_ask(struct probe *probe)
{
	struct coordinator *c = probe->routers->c;

	probe->waits = true;
	probe->asked = loop_now(c->loop);
	ask_node(c->asks,
		 &(struct ask_question){
			 .tailnet = probe->tailnet,
			 .node = probe->node,
			 .machine_key = probe->machine_key,
			 .types = "",
			 .timeout_ms = c->options->probe_timeout_ms,
		 },
		 on_answer, probe);
}

/* A router that has just come is asked for the first time after a whole interval: its client may be busy starting. */
static void probe_router(struct routers *r, const struct primaries_contest *contest)
{
	struct probe *probe = table_find_number(r->probes, contest->router.node);
	struct mono now = loop_now(r->c->loop);

	if (!probe) {
		probe = x_alloc(sizeof *probe);
		*probe = (struct probe){.routers = r, .tailnet = contest->tailnet, .node = contest->router.node, .asked = now};
		table_put_number(r->probes, probe->node, probe);
	}
	probe->seen_in = r->looks;
	probe->machine_key = contest->machine_key;
	probe->unreachable = contest->router.unreachable;
	if (!probe->waits && r->c->options->probe_interval_ms && now.ms - probe->asked.ms >= r->c->options->probe_interval_ms)
		probe_ask(probe);
}

static void probe_drop(struct probe *probe)
{
	probe->routers = NULL;
	if (!probe->waits)
		free(probe);
}

static void probes_forget(struct routers *r)
{
	struct bytes key;
	struct probe *probe;

	TABLE_EACH(r->probes, key, probe)
		if (probe->seen_in != r->looks) {
			table_remove_number(r->probes, probe->node);
			probe_drop(probe);
		}
}

/* ---- who serves? ---- */

static bool same_route(const struct primaries_contest *a, const struct primaries_contest *b)
{
	return a->tailnet == b->tailnet && !prefix_compare(a->route, b->route);
}

static uint64_t primary_of(const struct route_router *routers, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (routers[i].is_primary)
			return routers[i].node;
	return 0;
}

/* One route: its routers' state, and the statement that moves it if it must. */
static void elect(struct routers *r, const struct primaries_contest *contests, size_t count, struct tx **tx)
{
	struct route_router routers[ROUTERS_MAX] = {0};
	uint64_t tailnet = contests[0].tailnet, chosen, was;

	count = count < ROUTERS_MAX ? count : ROUTERS_MAX;
	for (size_t i = 0; i < count; i++) {
		routers[i] = contests[i].router;
		routers[i].online = presence_online(r->c->view, tailnet, routers[i].node);
		if (routers[i].online)
			probe_router(r, &contests[i]);
	}
	chosen = route_elect(routers, count);
	was = primary_of(routers, count);
	if (!chosen || !was)
		return;
	if (!*tx) {
		*tx = tx_begin(r->c->pg, tailnet, TX_WRITE);
		duty_take(*tx, DUTY_ROUTES);
	}
	primaries_move(*tx, contests[0].route, was, chosen);
}

/* While Redis is away nobody knows who is online, and nothing moves. */
static void look_at_tailnet(struct routers *r, const struct primaries_contest *contests, size_t count)
{
	uint64_t tailnet = contests[0].tailnet;
	struct tx *tx = NULL;

	online_follow(r->c->online, tailnet, NULL, NULL);
	if (!presence_certain(r->c->view, tailnet))
		return;
	for (size_t from = 0, to; from < count; from = to) {
		for (to = from + 1; to < count && same_route(&contests[from], &contests[to]);)
			to++;
		elect(r, contests + from, to - from, &tx);
	}
	if (tx)
		routers_commit(r, tx, tailnet, "primary routers moved");
}

static void on_contested(void *context, enum err e, const struct primaries_contest *contests, size_t count)
{
	struct routers *r = context;

	if (r->c && !e) {
		r->looks++;
		for (size_t from = 0, to; from < count; from = to) {
			for (to = from + 1; to < count && contests[to].tailnet == contests[from].tailnet;)
				to++;
			look_at_tailnet(r, contests + from, to - from);
		}
		probes_forget(r);
	}
	routers_answered(r);
}

static void on_look(void *context)
{
	struct routers *r = context;

	if (!r->out) {
		r->out++;
		primaries_find_contested(r->c->pg, CONTESTS_MAX, on_contested, r);
	}
	timer_set(&r->look, LOOK_EVERY_MS - LOOK_EVERY_MS / 8 + (int64_t)(random_number() % (LOOK_EVERY_MS / 4)));
}

struct routers *routers_new(struct coordinator *c)
{
	struct routers *r = x_zalloc(sizeof *r);

	r->c = c;
	r->probes = table_new();
	timer_init(&r->look, c->loop, on_look, r);
	timer_set(&r->look, LOOK_EVERY_MS);
	return r;
}

void routers_free(struct routers **at)
{
	struct routers *r = *at;
	struct bytes key;
	struct probe *probe;

	*at = NULL;
	if (!r)
		return;
	timer_cancel(&r->look);
	TABLE_EACH(r->probes, key, probe)
		probe_drop(probe);
	table_free(&r->probes);
	r->c = NULL;
	if (!r->out)
		free(r);
}
