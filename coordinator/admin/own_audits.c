#include "audits.h"
#include "guard.h"
#include "own.h"
#include "page.h"
#include "problem.h"

struct task {
	struct exchange *x;
	struct page page;
	unsigned row;
};

static const char detail[] = "listing audits";

static void raw_or_null(struct jsonw *w, const char *name, struct bytes json)
{
	if (json.len)
		jsonw_raw(w, name, json);
	else
		jsonw_null(w, name);
}

static void audit_write(struct jsonw *w, const struct audit *audit)
{
	jsonw_object(w, NULL);
	jsonw_uint_text(w, "id", audit->id);
	jsonw_time(w, "at", audit->at);
	jsonw_text(w, "actor", audit->actor);
	jsonw_text(w, "credential", audit->credential);
	jsonw_text(w, "request", audit->request);
	jsonw_text(w, "action", audit->action);
	if (audit->subject)
		jsonw_uint_text(w, "subject", audit->subject);
	else
		jsonw_null(w, "subject");
	jsonw_string(w, "outcome", audit->refused ? "refused" : "done");
	raw_or_null(w, "before", audit->before);
	raw_or_null(w, "after", audit->after);
	raw_or_null(w, "detail", audit->detail);
	jsonw_object_end(w);
}

static void on_audits(void *context, enum err e, struct tx *tx, const struct diag *why)
{
	struct task *t = context;
	struct answer answer;
	struct audit *audits;
	size_t count;

	if (e) {
		problem_reply_err(t->x, e, detail, why);
		return;
	}
	count = audits_read(tx, t->row, t->x->arena, &audits);
	answer_start(&answer);
	jsonw_array(&answer.w, "audits");
	for (size_t i = 0; page_shows(&t->page, &answer.w, i, count); i++)
		audit_write(&answer.w, &audits[i]);
	jsonw_array_end(&answer.w);
	page_write_next(&answer.w, t->x, &t->page, t->page.shown ? audits[t->page.shown - 1].id : 0);
	answer_send(&answer, t->x, detail);
}

static void list_of(struct exchange *x, uint64_t tailnet)
{
	struct coordinator *c = x->program;
	struct task *t = ARENA_NEW(x->arena, struct task);
	struct tx *tx;

	t->x = x;
	if (!page_read(x, &t->page, detail))
		return;
	tx = tx_begin(c->pg, tailnet, TX_READ);
	t->row = audits_list(tx, t->page.after, page_want(&t->page), PAGE_BYTES);
	tx_run(tx, on_audits, t);
}

void own_audits_list(struct exchange *x)
{
	list_of(x, asker_of(x)->tailnet.id);
}

void own_operator_audits_list(struct exchange *x)
{
	list_of(x, TAILNET_INSTALLATION);
}
