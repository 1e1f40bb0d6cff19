#include "serve_map.h"

#include "act_node.h"
#include "capver.h"
#include "log.h"
#include "poll.h"
#include "report.h"
#include "reports.h"

/* Lives in the exchange's arena. */
struct map_task {
	struct exchange *x;
	struct coordinator *c;
	struct map_request request;
	const struct node *node;
	struct report_moves moves;
};

static void on_node(void *context, enum err e, const struct nodes_place *place, uint64_t epoch);
static void on_reported(void *context, enum err e);

static void task_fail(struct map_task *t, enum err e)
{
	log_info(SUBJECT("map"), "request failed", F_ERR(e), F_UINT("id", t->x->id));
	exchange_add_header(t->x, "Retry-After", BYTES("2"));
	exchange_reply_text(t->x, 503, "try again later\n");
}

/* Reports are applied by lite updates and old full requests alone: a stream's copy may be older than one of those (docs/protocol/map.md). */
static bool kind_reports(enum map_kind kind)
{
	return kind == MAP_LITE || kind == MAP_FULL;
}

void serve_map(struct exchange *x)
{
	struct map_task *t = ARENA_NEW(x->arena, struct map_task);
	struct diag why = {0};
	enum err e;

	t->x = x;
	t->c = x->program;
	e = mapmsg_decode(x->body, x->arena, &t->request, &why);
	if (e) {
		log_info(SUBJECT("map"), "malformed request", F_TEXT("reason", why.text), F_UINT("id", x->id));
		exchange_reply_error(x, e, &why);
		return;
	}
	if (!capver_accepted(t->request.capver)) {
		exchange_reply_text(x, 400, capver_refusal());
		return;
	}
	nodes_find(t->c->pg, &t->request.node_key, kind_reports(t->request.kind), x->arena, on_node, t);
}

static void on_relabeled(void *context, enum err e, const struct node *node, const struct diag *why)
{
	struct map_task *t = context;

	(void)why;
	if (e && e != ERR_NOT_FOUND)
		log_warning(NODE(t->node->tailnet, t->node->id), "label not changed", F_ERR(e));
	else if (node && !bytes_equal(node->label, t->node->label))
		log_info(NODE(node->tailnet, node->id), "label follows the host name", F_BYTES("label", node->label));
	on_reported(t, ERR_NONE);
}

static void on_written(void *context, enum err e)
{
	struct map_task *t = context;

	if (!e && t->moves.relabel)
		act_node_relabel(t->c, t->node->tailnet, t->node->id, bytes_text(t->moves.label), on_relabeled, t);
	else
		on_reported(t, e);
}

/* The answer of a lite update has an empty body; until it came the client sends no other. */
static void on_reported(void *context, enum err e)
{
	struct map_task *t = context;

	if (e)
		task_fail(t, e);
	else if (t->request.kind == MAP_LITE || t->x->gone)
		exchange_reply(t->x, 200, NULL, BYTES_NONE);
	else if (t->c->draining) /* a stream opened now would hold up the drain */
		task_fail(t, ERR_UNAVAILABLE);
	else
		poll_open(t->x, t->node, &t->request);
}

/* A machine may speak for its own node keys only; whether another machine's exists is nobody's business. */
static bool task_owns_node(struct map_task *t, const struct node *node)
{
	char key[KEY_SHORT_MAX];

	if (node && key_equal(node->machine_key.raw, t->x->machine->raw))
		return true;
	log_info(SUBJECT("map"), "unknown node", F_TEXT("reason", node ? "another machine's node key" : "no such node key"),
		 F_TEXT("machine", key_short(key, t->x->machine->raw)), F_UINT("id", t->x->id));
	exchange_reply_text(t->x, 404, "no such node on this machine\n");
	return false;
}

static void on_node(void *context, enum err e, const struct nodes_place *place, uint64_t epoch)
{
	struct map_task *t = context;

	if (e) {
		task_fail(t, e);
		return;
	}
	/* Who left may have said something newer elsewhere meanwhile (docs/protocol/registration.md): its report must not pass for the latest. */
	if (t->x->gone) {
		on_reported(t, ERR_NONE);
		return;
	}
	if (!task_owns_node(t, place->node))
		return;
	t->node = place->node;
	if (!kind_reports(t->request.kind)) {
		on_reported(t, ERR_NONE);
		return;
	}
	report_compare(t->node, &t->request, epoch, clock_wall(), t->x->arena, &t->moves);
	if (t->moves.write)
		reports_add(t->c->reports, t->node->tailnet, &t->moves.report, on_written, t);
	else
		on_written(t, ERR_NONE);
}
