#include "act_policy.h"

#include "policyput.h"
#include "turns.h"

struct put {
	struct coordinator *c;
	struct actor actor;
	struct arena *arena;
	struct policy_write write;
	struct policy_written written;
	const struct census *census;
	struct turn turn;
	struct trial trial;
	enum err tried;
	struct diag why;    /* of the trial */
	unsigned from, row; /* statements */
	act_policy_fn on_done;
	void *context;
};

static void end(struct put *p, enum err e, const struct diag *why)
{
	p->on_done(p->context, e, &p->written, why);
}

static void on_put(void *context, enum err e, struct tx *tx, const struct diag *why)
{
	struct put *p = context;
	struct policy_row *rows;

	if (!e && policies_read(tx, p->row, p->arena, &rows)) {
		p->written.row = rows[0];
		p->written.row.text = p->write.text;
	}
	end(p, e, why);
}

static void commit(struct put *p, const struct trial *t)
{
	struct tx *tx = tx_begin(p->c->pg, p->actor.tailnet, TX_WRITE);
	struct policy_row row = {.text = p->write.text, .note = p->write.note};
	struct policyput done;

	row.author = bytes_text(p->actor.credential ? arena_format(p->arena, "%s %s", p->actor.name, p->actor.credential) : p->actor.name);
	act_audit(tx, &p->actor, "policy.update", 0, NULL);
	done = policyput_add(tx, t, p->census, &row, p->write.holds != NULL);
	p->row = done.row;
	p->written.approved_nodes = done.approved_nodes;
	act_commit(p->c, tx, on_put, p);
}

/* On a helper thread. */
static void try(void *context)
{
	struct put *p = context;

	p->tried = trial_run(&p->trial, p->arena, p->census, p->write.text, &p->why);
	trial_end(&p->trial);
}

static void on_tried(void *context)
{
	struct put *p = context;

	turn_leave(&p->turn);
	p->written.tests = p->trial.tests;
	if (p->tried)
		end(p, p->tried, &p->why);
	else
		commit(p, &p->trial);
}

static void on_census(void *context, enum err e, const struct census *census)
{
	struct put *p = context;

	if (!e && p->write.holds && !p->write.holds(p->context, census->policy))
		e = diag_set(&p->why, ERR_CONFLICT, "the policy was changed since: read it again");
	if (e) {
		turn_leave(&p->turn);
		end(p, e, &p->why);
		return;
	}
	p->census = census;
	turn_work(&p->turn, try, on_tried);
}

static void on_turn(void *context, enum err e, const struct diag *why)
{
	struct put *p = context;

	if (e)
		end(p, e, why);
	else
		census_take(p->c->pg, p->actor.tailnet, p->arena, on_census, p);
}

static void take_turn(struct put *p)
{
	turn_take(&p->turn, p->c->loop, p->actor.tailnet, TURNS_WAITING_OF_TAILNET, p->write.text.len, on_turn, p);
}

static void on_version(void *context, enum err e, struct tx *tx, const struct diag *why)
{
	struct put *p = context;
	struct policy_row *rows;
	struct diag gone = {0};

	if (!e && !policies_read(tx, p->from, p->arena, &rows)) {
		e = diag_set(&gone, ERR_NOT_FOUND, "there is no such version of the policy");
		why = &gone;
	}
	if (e) {
		end(p, e, why);
		return;
	}
	p->write.text = rows[0].text;
	take_turn(p);
}

void act_policy_put(struct coordinator *c, const struct actor *actor, const struct policy_write *write, struct arena *arena, act_policy_fn on_done,
		    void *context)
{
	struct put *p = ARENA_NEW(arena, struct put);
	struct tx *tx;

	*p = (struct put){.c = c, .actor = *actor, .arena = arena, .write = *write, .on_done = on_done, .context = context};
	if (!write->from) {
		take_turn(p);
		return;
	}
	tx = tx_begin(c->pg, actor->tailnet, TX_READ);
	p->from = policies_get(tx, write->from);
	tx_run(tx, on_version, p);
}
