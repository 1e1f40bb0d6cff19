#include "policy_text.h"

#include "guard.h"

enum { CAUSES_MAX = 80, SENTENCE_SHOWN_MAX = 1000 };

static const char *place_text(struct exchange *x, unsigned line, unsigned column)
{
	return line ? arena_format(x->arena, "line %u, column %u", line, column) : NULL;
}

static const char *sentence_of(struct exchange *x, struct bytes user, struct bytes error)
{
	return arena_format(x->arena, "%.*s: %.*s", BYTES_ARG(bytes_take(user, SENTENCE_SHOWN_MAX)), BYTES_ARG(bytes_take(error, SENTENCE_SHOWN_MAX)));
}

void policy_text_refuse(struct exchange *x, enum err e, const char *detail, const struct diag *why, const struct selftest *tests)
{
	struct problem_cause *causes;
	size_t count = 0;

	if (e == ERR_EXHAUSTED && why) {
		exchange_add_header(x, "Retry-After", BYTES("1"));
		problem_reply(x, 429, detail, why->text, NULL);
		return;
	}
	if (e == ERR_TOO_BIG && why && *why->text) {
		problem_reply(x, 413, detail, why->text, place_text(x, why->line, why->column));
		return;
	}
	if (e != ERR_MALFORMED || !why || !*why->text) {
		problem_reply_err(x, e, detail, why);
		return;
	}
	causes = ARENA_ARRAY(x->arena, struct problem_cause, CAUSES_MAX + 1);
	causes[count++] = (struct problem_cause){why->text, place_text(x, why->line, why->column)};
	for (size_t i = 0; tests && i < tests->failure_count; i++) {
		const struct selftest_failure *f = &tests->failures[i];

		for (size_t k = 0; k < f->error_count && count <= CAUSES_MAX; k++)
			causes[count++] = (struct problem_cause){sentence_of(x, f->user, f->errors[k]), place_text(x, f->at.line, f->at.column)};
	}
	problem_reply_causes(x, detail, why->text, causes, count);
}

bool policy_text_given(struct exchange *x, const char *detail)
{
	if (x->body.len)
		return true;
	problem_reply(x, 400, detail, "the body is the policy, and it is empty", "body");
	return false;
}

static enum err try(struct policy_trial *p)
{
	struct arena *arena = p->x->arena;
	enum err e;

	if (p->stored)
		e = trial_compile_stored(&p->trial, arena, p->census, &p->why);
	else if (p->tested)
		e = trial_run(&p->trial, arena, p->census, p->text, &p->why);
	else
		e = trial_compile(&p->trial, arena, p->census, p->text, &p->why);
	return e || !p->work ? e : p->work(p, &p->why);
}

/* On a helper thread. */
static void work(void *context)
{
	struct policy_trial *p = context;

	p->tried = try(p);
	trial_end(&p->trial);
}

static void on_worked(void *context)
{
	struct policy_trial *p = context;

	turn_leave(&p->turn);
	if (p->tried)
		policy_text_refuse(p->x, p->tried, p->detail, &p->why, &p->trial.tests);
	else
		p->on_tried(p);
}

static void on_census(void *context, enum err e, const struct census *census)
{
	struct policy_trial *p = context;

	if (e) {
		turn_leave(&p->turn);
		problem_reply_err(p->x, e, p->detail, NULL);
		return;
	}
	p->census = census;
	turn_work(&p->turn, work, on_worked);
}

static void on_turn(void *context, enum err e, const struct diag *why)
{
	struct policy_trial *p = context;
	struct coordinator *c = p->x->program;

	if (e)
		policy_text_refuse(p->x, e, p->detail, why, NULL);
	else
		census_take(c->pg, asker_of(p->x)->tailnet.id, p->x->arena, on_census, p);
}

void policy_trial_run(struct policy_trial *p)
{
	turn_take(&p->turn, p->x->loop, asker_of(p->x)->tailnet.id, TURNS_WAITING_OF_TAILNET, p->text.len, on_turn, p);
}

void policy_trial_warn(struct policy_trial *p, struct jsonw *w)
{
	const char *warning = trial_warning(p->x->arena, &p->trial.lapses);

	if (warning)
		jsonw_string(w, "warning", warning);
	else
		jsonw_null(w, "warning");
}
