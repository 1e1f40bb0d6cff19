#include "serve_map.h"

#include "act_node.h"
#include "capver.h"
#include "charter.h"
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
	uint64_t epoch;
	struct join wish; /* tags that the client asks for anew */
	struct known known;
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

static void task_report(struct map_task *t)
{
	report_compare(t->node, &t->request, t->epoch, clock_wall(), t->x->arena, &t->moves);
	if (t->moves.write)
		reports_add(t->c->reports, t->node->tailnet, &t->moves.report, on_written, t);
	else
		on_written(t, ERR_NONE);
}

/* --- tags ----------------------------------------------------------------------------------------------------------------------------------------------- */

/* Before the report: what it asks for is new only until it was written. */
static void on_wish(void *context, enum err e, const struct node *node, const struct diag *why)
{
	struct map_task *t = context;

	(void)node, (void)why;
	if (e && e != ERR_NOT_FOUND)
		task_fail(t, e);
	else
		task_report(t);
}

static void task_decide_wish(struct map_task *t)
{
	struct verdict v = admission_decide_report(t->node, &t->wish, &t->known, clock_wall());
	struct subject subject = NODE(t->node->tailnet, t->node->id);

	if (v.kind == VERDICT_RETAG) {
		log_info(subject, "node took other tags", F_UINT("id", t->x->id));
		act_node_retag(t->c, t->node, v.tags, v.tag_count, on_wish, t);
	} else if (v.kind == VERDICT_EXPIRE_SOONER) {
		log_info(subject, "node asks for tags: its user has to sign in", F_UINT("id", t->x->id));
		act_node_set_expiry(t->c, NULL, t->node->tailnet, t->node->id, v.expiry, on_wish, t);
	} else {
		task_report(t);
	}
}

static void on_charter(void *context, enum err e, const struct charter *charter)
{
	struct map_task *t = context;
	struct tag_rights rights;

	if (e) {
		task_fail(t, e);
		return;
	}
	rights = charter_rights(charter);
	t->known.rights = &rights;
	task_decide_wish(t);
}

/* The policy is asked only for a tagged node that asks for other tags. */
static void task_wish(struct map_task *t)
{
	const struct hostinfo *hostinfo = &t->request.hostinfo;
	struct bytes *told;

	t->wish = (struct join){.request_tags = hostinfo->request_tags, .request_tag_count = hostinfo->request_tag_count};
	if (!hostinfo->request_tag_count) {
		task_report(t);
		return;
	}
	t->known.told_tag_count = hostinfo_request_tags(t->node->hostinfo, t->x->arena, &told);
	t->known.told_tags = told;
	if (node_is_tagged(t->node) && admission_decide_report(t->node, &t->wish, &t->known, clock_wall()).kind != VERDICT_KNOWN)
		charter_ask(t->c, t->node->tailnet, 0, on_charter, t);
	else
		task_decide_wish(t);
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
	t->epoch = epoch;
	task_wish(t);
}
