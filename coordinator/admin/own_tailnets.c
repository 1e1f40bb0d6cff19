#include "act_tailnet.h"
#include "fields.h"
#include "guard.h"
#include "own.h"
#include "page.h"
#include "problem.h"
#include "tailnet_change.h"

struct tailnet_task {
	struct exchange *x;
	const char *detail;
	unsigned row;
	bool forced;
	struct page page;
};

static void tailnet_write(struct jsonw *w, const char *name, const struct tailnet *tailnet)
{
	jsonw_object(w, name);
	jsonw_uint_text(w, "id", tailnet->id);
	jsonw_text(w, "name", tailnet->name);
	jsonw_text(w, "domain", tailnet->domain);
	jsonw_text(w, "displayName", tailnet->display_name);
	jsonw_prefix(w, "ipv4Range", tailnet->range4);
	jsonw_prefix(w, "ipv6Range", tailnet->range6);
	jsonw_bool(w, "suspended", tailnet->suspended);
	jsonw_bool(w, "frozen", tailnet->frozen);
	jsonw_uint(w, "nodeLimit", tailnet->node_limit);
	jsonw_uint(w, "userLimit", tailnet->user_limit);
	jsonw_uint(w, "relayBytesPerSecond", tailnet->relay_rate);
	jsonw_uint(w, "relayBurstBytes", tailnet->relay_burst);
	jsonw_text(w, "loginHost", tailnet->login_host);
	jsonw_time(w, "createdAt", tailnet->created);
	jsonw_object_end(w);
}

static void tailnet_show(struct jsonw *w, const struct tailnets_whole *whole)
{
	tailnet_write(w, "tailnet", &whole->tailnet);
}

static void on_listed(void *context, enum err e, struct tx *tx, const struct diag *why)
{
	struct tailnet_task *t = context;
	struct answer answer;
	struct tailnet *tailnets;
	size_t count;

	if (e) {
		problem_reply_err(t->x, e, t->detail, why);
		return;
	}
	count = tailnets_read(tx, t->row, t->x->arena, &tailnets);
	answer_start(&answer);
	jsonw_array(&answer.w, "tailnets");
	for (size_t i = 0; page_shows(&t->page, &answer.w, i, count); i++)
		tailnet_write(&answer.w, NULL, &tailnets[i]);
	jsonw_array_end(&answer.w);
	page_write_next(&answer.w, t->x, &t->page, t->page.shown ? tailnets[t->page.shown - 1].id : 0);
	answer_send(&answer, t->x, t->detail);
}

static struct tailnet_task *task_new(struct exchange *x, const char *detail)
{
	struct tailnet_task *t = ARENA_NEW(x->arena, struct tailnet_task);

	t->x = x;
	t->detail = detail;
	return t;
}

void own_tailnets_list(struct exchange *x)
{
	struct coordinator *c = x->program;
	struct tailnet_task *t = task_new(x, "listing tailnets");
	struct tx *tx;

	if (!page_read(x, &t->page, t->detail))
		return;
	tx = tx_begin(c->pg, TAILNET_INSTALLATION, TX_READ);
	t->row = tailnets_list(tx, t->page.after, page_want(&t->page));
	tx_run(tx, on_listed, t);
}

/* --- members that may be given ----------------------------------------------------------------------------------------------------------------------- */

struct asked_tailnet {
	struct bytes name, display_name, login_host;
	struct field_flag suspended, frozen;
	struct field_count node_limit, user_limit, relay_rate, relay_burst;
	/* When it is made, never later. */
	struct bytes domain, range4, range6;
};

#define CHANGEABLE(a) \
	{"name", FIELD_TEXT, &(a)->name}, {"displayName", FIELD_TEXT, &(a)->display_name}, {"suspended", FIELD_FLAG, &(a)->suspended}, \
		{"frozen", FIELD_FLAG, &(a)->frozen}, {"nodeLimit", FIELD_COUNT, &(a)->node_limit}, {"userLimit", FIELD_COUNT, &(a)->user_limit}, \
		{"relayBytesPerSecond", FIELD_COUNT, &(a)->relay_rate}, {"relayBurstBytes", FIELD_COUNT, &(a)->relay_burst}, \
	{ \
		"loginHost", FIELD_TEXT, &(a)->login_host \
	}

/* What is too large stays too large for the check. */
static void set_limit(unsigned *out, const struct field_count *asked)
{
	if (asked->present)
		*out = asked->value > UINT32_MAX ? UINT32_MAX : (unsigned)asked->value;
}

static void set_text(struct bytes *out, struct bytes asked)
{
	if (asked.at)
		*out = asked;
}

static void tailnet_set(struct tailnet *tailnet, const struct asked_tailnet *a)
{
	set_text(&tailnet->name, a->name);
	set_text(&tailnet->display_name, a->display_name);
	set_text(&tailnet->login_host, a->login_host);
	if (a->suspended.present)
		tailnet->suspended = a->suspended.value;
	if (a->frozen.present)
		tailnet->frozen = a->frozen.value;
	set_limit(&tailnet->node_limit, &a->node_limit);
	set_limit(&tailnet->user_limit, &a->user_limit);
	if (a->relay_rate.present)
		tailnet->relay_rate = a->relay_rate.value;
	if (a->relay_burst.present)
		tailnet->relay_burst = a->relay_burst.value;
}

/* --- create ---------------------------------------------------------------------------------------------------------------------------------------------- */

static void on_created(void *context, enum err e, struct tx *tx, const struct diag *why)
{
	struct tailnet_task *t = context;
	struct answer answer;
	struct tailnet *tailnets;

	if (e || !tailnets_read(tx, t->row, t->x->arena, &tailnets)) {
		problem_reply_err(t->x, e ? e : ERR_BUG, t->detail, why);
		return;
	}
	answer_start(&answer);
	tailnet_write(&answer.w, "tailnet", &tailnets[0]);
	answer_send(&answer, t->x, t->detail);
}

static enum err take_range(struct bytes text, const char *name, struct prefix *range, struct diag *why)
{
	*range = (struct prefix){0};
	if (text.len && prefix_parse(text, range))
		return diag_set(why, ERR_MALFORMED, "%s is not a prefix", name);
	return ERR_NONE;
}

void own_tailnets_create(struct exchange *x)
{
	struct coordinator *c = x->program;
	struct tailnet_task *t = task_new(x, "creating tailnet");
	struct asked_tailnet asked = {0};
	struct tailnet tailnet = {0};
	struct diag why = {0};
	struct tx *tx;
	enum err e;

	if (!fields_read(x,
			 (struct field[]){CHANGEABLE(&asked),
					  {"domain", FIELD_TEXT, &asked.domain},
					  {"ipv4Range", FIELD_TEXT, &asked.range4},
					  {"ipv6Range", FIELD_TEXT, &asked.range6},
					  {0}},
			 t->detail))
		return;
	tailnet_set(&tailnet, &asked);
	tailnet.domain = asked.domain;
	tx = tx_begin(c->pg, TAILNET_INSTALLATION, TX_WRITE);
	e = take_range(asked.range4, "ipv4Range", &tailnet.range4, &why);
	if (!e)
		e = take_range(asked.range6, "ipv6Range", &tailnet.range6, &why);
	if (!e)
		e = act_tailnet_create(tx, &asker_of(x)->actor, &tailnet, &t->row, &why);
	if (e) {
		tx_abandon(tx);
		problem_reply_err(x, e, t->detail, &why);
		return;
	}
	act_commit(c, tx, on_created, t);
}

/* --- one tailnet ----------------------------------------------------------------------------------------------------------------------------------------- */

static struct tailnet_change *change_new(struct exchange *x, const char *detail)
{
	struct tailnet_change *t = ARENA_NEW(x->arena, struct tailnet_change);

	*t = (struct tailnet_change){.x = x, .detail = detail, .action = "tailnet.update", .name = arena_copy(x->arena, x->params[0]), .show = tailnet_show};
	return t;
}

void own_tailnets_get(struct exchange *x)
{
	tailnet_change_run(change_new(x, "getting tailnet"));
}

static enum err tailnet_apply(const struct tailnet_change *change, struct tailnets_whole *whole, struct diag *why)
{
	(void)why;
	tailnet_set(&whole->tailnet, change->asked);
	return ERR_NONE;
}

void own_tailnets_update(struct exchange *x)
{
	struct tailnet_change *t = change_new(x, "changing tailnet");
	struct asked_tailnet *asked = ARENA_NEW(x->arena, struct asked_tailnet);

	if (!fields_read(x, (struct field[]){CHANGEABLE(asked), {0}}, t->detail))
		return;
	t->asked = asked;
	t->apply = tailnet_apply;
	tailnet_change_run(t);
}

static void on_deleted(void *context, enum err e, const struct diag *why)
{
	struct tailnet_task *t = context;

	if (e)
		problem_reply_err(t->x, e, t->detail, why);
	else
		admin_reply(t->x, BYTES("{}"));
}

static void on_doomed(void *context, enum err e, struct tx *tx, const struct diag *why)
{
	struct tailnet_task *t = context;
	struct tailnet *tailnets;

	if (e)
		problem_reply_err(t->x, e, t->detail, why);
	else if (!tailnets_read(tx, t->row, t->x->arena, &tailnets))
		problem_reply(t->x, 404, t->detail, "tailnet not found", NULL);
	else
		act_tailnet_delete(t->x->program, &asker_of(t->x)->actor, &tailnets[0], t->forced, on_deleted, t);
}

void own_tailnets_delete(struct exchange *x)
{
	struct coordinator *c = x->program;
	struct tailnet_task *t = task_new(x, "deleting tailnet");
	struct bytes force = exchange_query(x, "force");
	struct tx *tx;

	if (force.at && !bytes_equal_text(force, "true") && !bytes_equal_text(force, "false")) {
		problem_reply(x, 422, t->detail, "expected true or false", "query.force");
		return;
	}
	if (!bytes_equal(exchange_query(x, "confirm"), x->params[0])) {
		problem_reply(x, 400, t->detail, "a tailnet is deleted only when its name is repeated: ?confirm=NAME", "query.confirm");
		return;
	}
	t->forced = bytes_equal_text(force, "true");
	tx = tx_begin(c->pg, TAILNET_INSTALLATION, TX_READ);
	t->row = tailnets_find(tx, x->params[0]);
	tx_run(tx, on_doomed, t);
}
