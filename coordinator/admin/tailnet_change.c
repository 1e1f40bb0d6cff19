#include "tailnet_change.h"

#include "act_tailnet.h"
#include "etag.h"
#include "guard.h"
#include "problem.h"

enum { TRIES_MAX = 8 };

static void answer(struct tailnet_change *t, const struct tailnets_whole *whole)
{
	struct answer out;

	answer_start(&out);
	t->show(&out.w, whole);
	if (t->apply)
		answer_send(&out, t->x, t->detail);
	else
		etag_send(&out, t->x, t->detail);
}

/* Is it what the client read? Answered when not. */
static bool is_as_read(struct tailnet_change *t, const struct tailnets_whole *whole)
{
	struct answer seen;

	if (!etag_wanted(t->x))
		return true;
	answer_start(&seen);
	t->show(&seen.w, whole);
	return etag_holds(&seen, t->x, t->detail);
}

static void on_written(void *context, enum err e, struct tx *tx, const struct diag *why)
{
	struct tailnet_change *t = context;
	struct tailnets_whole whole;

	if (e == ERR_CONFLICT && ++t->tries < TRIES_MAX)
		tailnet_change_run(t);
	else if (e || !tailnets_read_whole(tx, t->row, t->x->arena, &whole))
		problem_reply_err(t->x, e ? e : ERR_BUG, t->detail, why);
	else
		answer(t, &whole);
}

static void on_read(void *context, enum err e, struct tx *tx, const struct diag *why)
{
	struct tailnet_change *t = context;
	struct coordinator *c = t->x->program;
	struct tailnets_whole whole;
	struct diag reason = {0};
	struct tx *writing;

	if (e || !tailnets_read_whole(tx, t->row, t->x->arena, &whole)) {
		problem_reply_err(t->x, e ? e : ERR_NOT_FOUND, t->detail, e ? why : &(struct diag){.text = "tailnet not found"});
		return;
	}
	if (!t->apply) {
		answer(t, &whole);
		return;
	}
	if (!is_as_read(t, &whole))
		return;
	e = t->apply(t, &whole, &reason);
	if (e) {
		problem_reply_err(t->x, e, t->detail, &reason);
		return;
	}
	writing = tx_begin(c->pg, whole.tailnet.id, TX_WRITE);
	e = act_tailnet_update(writing, &asker_of(t->x)->actor, t->action, &whole, &t->row, &reason);
	if (e) {
		tx_abandon(writing);
		problem_reply_err(t->x, e, t->detail, &reason);
		return;
	}
	act_commit(c, writing, on_written, t);
}

void tailnet_change_run(struct tailnet_change *t)
{
	struct coordinator *c = t->x->program;
	struct tx *tx = tx_begin(c->pg, t->tailnet, TX_READ);

	t->row = t->tailnet ? tailnets_get_whole(tx) : tailnets_find_whole(tx, t->name);
	tx_run(tx, on_read, t);
}
