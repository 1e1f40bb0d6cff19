#include "v1_policy.h"

#include "act_policy.h"
#include "fields.h"
#include "guard.h"
#include "policy_text.h"

struct policy_task {
	struct exchange *x;
	const char *detail;
	unsigned row;
};

static void answer_policy(struct exchange *x, const struct policy_row *row, const char *detail)
{
	struct answer answer;

	answer_start(&answer);
	jsonw_text(&answer.w, "policy", row->text);
	jsonw_time(&answer.w, "updatedAt", row->created);
	answer_send(&answer, x, detail);
}

static void on_read(void *context, enum err e, struct tx *tx, const struct diag *why)
{
	struct policy_task *t = context;
	struct policy_row *rows;

	if (e)
		problem_reply_err(t->x, e, t->detail, why);
	else if (!policies_read(tx, t->row, t->x->arena, &rows))
		problem_reply(t->x, 500, t->detail, "acl policy not found", NULL);
	else
		answer_policy(t->x, &rows[0], t->detail);
}

void v1_policy_get(struct exchange *x)
{
	struct coordinator *c = x->program;
	struct policy_task *t = ARENA_NEW(x->arena, struct policy_task);
	struct tx *tx = tx_begin(c->pg, asker_of(x)->tailnet.id, TX_READ);

	*t = (struct policy_task){.x = x, .detail = "getting policy", .row = policies_newest(tx)};
	tx_run(tx, on_read, t);
}

static void on_written(void *context, enum err e, const struct policy_written *written, const struct diag *why)
{
	struct policy_task *t = context;

	if (e)
		policy_text_refuse(t->x, e, t->detail, why, &written->tests);
	else
		answer_policy(t->x, &written->row, t->detail);
}

void v1_policy_set(struct exchange *x)
{
	struct policy_task *t = ARENA_NEW(x->arena, struct policy_task);
	struct policy_write write = {0};

	*t = (struct policy_task){.x = x, .detail = "setting policy"};
	if (!fields_read(x, (struct field[]){{"policy", FIELD_TEXT, &write.text}, {0}}, t->detail))
		return;
	act_policy_put(x->program, &asker_of(x)->actor, &write, x->arena, on_written, t);
}

static void on_checked(struct policy_trial *p)
{
	admin_reply(p->x, BYTES("{}"));
}

void v1_policy_check(struct exchange *x)
{
	struct policy_trial *p = ARENA_NEW(x->arena, struct policy_trial);

	*p = (struct policy_trial){.x = x, .detail = "checking policy", .tested = true, .on_tried = on_checked};
	if (fields_read(x, (struct field[]){{"policy", FIELD_TEXT, &p->text}, {0}}, p->detail))
		policy_trial_run(p);
}
