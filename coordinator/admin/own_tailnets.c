#include "act_tailnet.h"
#include "fields.h"
#include "guard.h"
#include "own.h"
#include "problem.h"

struct tailnet_task {
	struct exchange *x;
	const char *detail;
	unsigned row;
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
	jsonw_time(w, "createdAt", tailnet->created);
	jsonw_object_end(w);
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
	for (size_t i = 0; i < count; i++)
		tailnet_write(&answer.w, NULL, &tailnets[i]);
	jsonw_array_end(&answer.w);
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
	struct tx *tx = tx_begin(c->pg, TAILNET_INSTALLATION, TX_READ);

	t->row = tailnets_list(tx);
	tx_run(tx, on_listed, t);
}

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
	struct tailnet tailnet = {0};
	struct bytes range4 = {0}, range6 = {0};
	struct diag why = {0};
	struct tx *tx;
	enum err e;

	if (!fields_read(x,
			 (struct field[]){{"name", FIELD_TEXT, &tailnet.name},
					  {"domain", FIELD_TEXT, &tailnet.domain},
					  {"displayName", FIELD_TEXT, &tailnet.display_name},
					  {"ipv4Range", FIELD_TEXT, &range4},
					  {"ipv6Range", FIELD_TEXT, &range6},
					  {0}},
			 t->detail))
		return;
	tx = tx_begin(c->pg, TAILNET_INSTALLATION, TX_WRITE);
	e = take_range(range4, "ipv4Range", &tailnet.range4, &why);
	if (!e)
		e = take_range(range6, "ipv6Range", &tailnet.range6, &why);
	if (!e)
		e = act_tailnet_create(tx, &asker_of(x)->actor, &tailnet, &t->row, &why);
	if (e) {
		tx_abandon(tx);
		problem_reply_err(x, e, t->detail, &why);
		return;
	}
	act_commit(c, tx, on_created, t);
}
