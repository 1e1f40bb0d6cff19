#include "reports.h"

#include <stdlib.h>

#include "autoapprove.h"
#include "coordinator.h"
#include "log.h"
#include "notice.h"
#include "table.h"

enum {
	WAITING_MAX = 4096,
	BATCH_MAX = 256,  /* reports of one transaction: a few hundred KiB of host info at most */
	STRETCH_MAX = 10, /* gathers so many times longer while reports come in crowds: each commit costs the same */
	REST_MS = 1000    /* a gather that has nothing to do remembers its stretch so long */
};

struct waiting {
	struct list link;
	struct arena *arena; /* owns this and everything in it */
	struct node_report report;
	report_fn on_written;
	void *context;
};

/* What one tailnet has gathered, and what of it is being written. */
struct gather {
	struct reports *reports;
	uint64_t tailnet;
	struct timer due;
	struct list waiting, writing;
	struct table *seen, *farewell, *polled; /* sets of nodes */
	unsigned stretch;                       /* as many as the last batch held: a calm tailnet is written after report.gather, a churning one less often */
	bool in_flight, resting;
	bool full; /* the last batch took all that it may: the rest must not wait */
};

struct reports {
	struct coordinator *c;
	struct table *gathers; /* tailnet -> gather */
	size_t waiting;
};

static void gather_write(struct gather *g);

struct reports *reports_new(struct coordinator *c)
{
	struct reports *reports = x_zalloc(sizeof *reports);

	reports->c = c;
	reports->gathers = table_new();
	return reports;
}

static bool gather_empty(const struct gather *g)
{
	return list_empty(&g->waiting) && !table_count(g->seen) && !table_count(g->farewell) && !table_count(g->polled);
}

static void gather_free(struct gather *g)
{
	table_remove_number(g->reports->gathers, g->tailnet);
	timer_cancel(&g->due);
	table_free(&g->seen);
	table_free(&g->farewell);
	table_free(&g->polled);
	free(g);
}

static void on_due(void *context)
{
	struct gather *g = context;

	if (gather_empty(g))
		gather_free(g);
	else
		gather_write(g);
}

static void gather_wait(struct gather *g)
{
	g->resting = false;
	timer_set(&g->due, g->reports->c->options->report_gather_ms * g->stretch);
}

static struct gather *gather_get(struct reports *reports, uint64_t tailnet)
{
	struct gather *g = table_find_number(reports->gathers, tailnet);

	if (!g) {
		g = x_zalloc(sizeof *g);
		g->reports = reports;
		g->tailnet = tailnet;
		timer_init(&g->due, reports->c->loop, on_due, g);
		list_init(&g->waiting);
		list_init(&g->writing);
		g->seen = table_new();
		g->farewell = table_new();
		g->polled = table_new();
		g->stretch = 1;
		table_put_number(reports->gathers, tailnet, g);
	}
	if (!g->in_flight && (g->resting || !timer_is_set(&g->due)))
		gather_wait(g);
	return g;
}

static void answer_all(struct reports *reports, struct list *list, enum err e)
{
	struct list mine;

	if (list_empty(list))
		return;
	mine = *list;
	mine.next->prev = mine.prev->next = &mine;
	list_init(list);
	LIST_EACH(&mine, w, struct waiting, link) {
		struct arena *arena = w->arena;

		list_remove(&w->link);
		reports->waiting--;
		w->on_written(w->context, e);
		arena_free(&arena);
	}
}

void reports_free(struct reports **reports)
{
	struct bytes key;
	struct gather *g;

	if (!*reports)
		return;
	TABLE_EACH((*reports)->gathers, key, g) {
		answer_all(*reports, &g->waiting, ERR_CANCELED);
		answer_all(*reports, &g->writing, ERR_CANCELED);
		gather_free(g);
	}
	table_free(&(*reports)->gathers);
	free(*reports);
	*reports = NULL;
}

static void gather_next(struct gather *g)
{
	if (gather_empty(g)) {
		g->resting = true;
		timer_set(&g->due, REST_MS);
	} else if (g->stretch > 1 && !g->full) {
		gather_wait(g);
	} else {
		gather_write(g);
	}
}

/* Of what was just written: those that advertise other routes than before. */
static void approve_routes(const struct gather *g)
{
	uint64_t nodes[BATCH_MAX];
	size_t count = 0;

	LIST_EACH(&g->writing, w, struct waiting, link)
		if (w->report.has_routes && w->report.route_count && count < BATCH_MAX)
			nodes[count++] = w->report.node;
	autoapprove_nodes(g->reports->c, g->tailnet, nodes, count);
}

static void on_committed(void *context, enum err e, struct tx *tx, const struct diag *why)
{
	struct gather *g = context;

	if (e == ERR_CANCELED) /* the worker ends: reports_free has answered, or will */
		return;
	g->in_flight = false;
	if (e)
		log_warning(TAILNET(g->tailnet), "client reports not written", F_ERR(e), F_TEXT("reason", why->text));
	else if (tx_generation(tx))
		notice_ring(g->reports->c->bus, g->tailnet, tx_generation(tx));
	if (!e)
		approve_routes(g);
	answer_all(g->reports, &g->writing, e);
	gather_next(g);
}

/* Moves a batch over, each node once: a second report of a node waits for the next. */
static size_t gather_take(struct gather *g, struct node_report *reports)
{
	struct table *taken = table_new();
	size_t count = 0;

	LIST_EACH(&g->waiting, w, struct waiting, link) {
		if (count == BATCH_MAX)
			break;
		if (table_put_number(taken, w->report.node, w))
			continue;
		list_remove(&w->link);
		list_append(&g->writing, &w->link);
		reports[count++] = w->report;
	}
	table_free(&taken);
	return count;
}

/* Empties a set of nodes into an array in the transaction's arena. */
static size_t nodes_take(struct table **set, struct arena *arena, uint64_t **nodes)
{
	size_t count = 0;
	struct bytes key;
	void *value;

	*nodes = ARENA_ARRAY(arena, uint64_t, table_count(*set) + 1);
	TABLE_EACH(*set, key, value)
		(*nodes)[count++] = table_key_number(key);
	table_free(set);
	*set = table_new();
	return count;
}

static void gather_write(struct gather *g)
{
	struct tx *tx = tx_begin(g->reports->c->pg, g->tailnet, TX_WRITE);
	struct arena *arena = tx_arena(tx);
	struct node_report *reports = ARENA_ARRAY(arena, struct node_report, BATCH_MAX);
	struct wall now = clock_wall();
	size_t count = gather_take(g, reports);
	uint64_t *nodes;

	timer_cancel(&g->due);
	g->stretch = count < 1 ? 1 : count < STRETCH_MAX ? (unsigned)count : STRETCH_MAX;
	g->full = count == BATCH_MAX;
	if (count)
		nodes_report_add(tx, reports, count);
	if ((count = nodes_take(&g->seen, arena, &nodes)))
		nodes_seen(tx, nodes, count, now, false);
	if ((count = nodes_take(&g->farewell, arena, &nodes)))
		nodes_seen(tx, nodes, count, now, true);
	if ((count = nodes_take(&g->polled, arena, &nodes)))
		nodes_polled(tx, nodes, count, now);
	g->in_flight = true;
	tx_run(tx, on_committed, g);
}

static void report_copy(struct arena *arena, const struct node_report *from, struct node_report *to)
{
	struct endpoint *endpoints = ARENA_ARRAY(arena, struct endpoint, from->endpoint_count + 1);
	struct prefix *routes = ARENA_ARRAY(arena, struct prefix, from->route_count + 1);

	*to = *from;
	if (from->endpoint_count)
		memcpy(endpoints, from->endpoints, from->endpoint_count * sizeof *endpoints);
	if (from->route_count)
		memcpy(routes, from->routes, from->route_count * sizeof *routes);
	to->endpoints = endpoints;
	to->routes = routes;
	if (from->hostinfo.at)
		to->hostinfo = arena_copy(arena, from->hostinfo);
}

struct refusal {
	struct defer defer;
	report_fn on_written;
	void *context;
};

static void on_refused(void *context)
{
	struct refusal *r = context;

	r->on_written(r->context, ERR_UNAVAILABLE);
	free(r);
}

void reports_add(struct reports *reports, uint64_t tailnet, const struct node_report *report, report_fn on_written, void *context)
{
	struct arena *arena;
	struct waiting *w;

	if (reports->waiting >= WAITING_MAX) {
		struct refusal *r = x_zalloc(sizeof *r);

		r->on_written = on_written;
		r->context = context;
		defer_init(&r->defer, on_refused, r);
		loop_defer(reports->c->loop, &r->defer);
		return;
	}
	arena = arena_new();
	w = ARENA_NEW(arena, struct waiting);
	w->arena = arena;
	w->on_written = on_written;
	w->context = context;
	report_copy(arena, report, &w->report);
	reports->waiting++;
	list_append(&gather_get(reports, tailnet)->waiting, &w->link);
}

void reports_seen(struct reports *reports, uint64_t tailnet, uint64_t node, bool farewell)
{
	struct gather *g = gather_get(reports, tailnet);

	table_put_number(farewell ? g->farewell : g->seen, node, g);
}

void reports_first_polled(struct reports *reports, uint64_t tailnet, uint64_t node)
{
	struct gather *g = gather_get(reports, tailnet);

	table_put_number(g->polled, node, g);
}
