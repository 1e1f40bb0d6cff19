#include "serve_sshaction.h"

#include <stdio.h>
#include <stdlib.h>

#include "act_sshcheck.h"
#include "held.h"
#include "log.h"
#include "node.h"
#include "origin.h"
#include "rate.h"
#include "sshjudge.h"
#include "text.h"

enum { ANSWER_MAX = 64 << 10, FOLLOWUP_MAX = sizeof SSHACTION_URL + 16 + LOGIN_ID_LEN };

/* In the order of the metric's labels (options.c). */
enum check_result { RESULT_ACCEPTED, RESULT_REFUSED, RESULT_BEGUN, RESULT_FAILED };

/* One question. On the heap: it may outlive its exchange while a reading is out. */
struct check_wait {
	struct held held; /* its x is NULL: answered or left; freed when nothing is out */
	struct coordinator *c;
	struct arena *arena;
	struct sshquestion question;
	char local_user[SSHCHECK_LOGIN_MAX + 1]; /* the exchange's memory ends with it */
	uint64_t tailnet;                        /* of the destination; 0: not known yet */
	struct sshcheck_login login;
	struct login_id begun;
	int64_t period_ms;
	bool out, again;
};

static void wait_judge(struct check_wait *w);
static void wait_look(struct check_wait *w);

/* --- one answer, then nothing --------------------------------------------------------------------------------------------------------------------- */

static void on_over(void *context)
{
	struct check_wait *w = context;

	if (w->out)
		return;
	arena_free(&w->arena);
	free(w);
}

/* Something that was out came back: false when there is nobody left to answer. */
static bool wait_back(struct check_wait *w)
{
	w->out = false;
	if (w->held.x && !w->held.answer)
		return true;
	if (!w->held.x)
		on_over(w);
	return false;
}

static void wait_log(const struct check_wait *w, const char *event, const char *reason)
{
	log_info(NODE(w->tailnet, w->question.destination), event, F_UINT("source", w->question.source), F_BYTES("local_user", w->question.local_user),
		 F_TEXT("reason", reason), F_UINT("id", w->held.x->id));
}

/* Anything but a good 200 is asked again by the client, for half an hour. */
static void wait_fail(struct check_wait *w, const char *reason)
{
	struct exchange *x = w->held.x;

	wait_log(w, "SSH connection not judged", reason);
	metric_add_at(metric_checks, RESULT_FAILED, 1);
	if (w->held.open) {
		held_abort(&w->held);
		return;
	}
	held_over(&w->held);
	exchange_add_header(x, "Retry-After", BYTES("5"));
	exchange_reply_text(x, 503, "try again later\n");
}

static void wait_send(struct check_wait *w, const struct ssh_action *action)
{
	struct buffer out;
	struct jsonw json;

	buffer_init(&out, ANSWER_MAX);
	jsonw_start(&json, &out);
	sshaction_write(&json, NULL, action);
	if (jsonw_end(&json)) {
		wait_fail(w, "the answer is too long");
	} else if (w->held.open) {
		held_answer(&w->held, buffer_bytes(&out));
	} else {
		exchange_reply_json(w->held.x, 200, buffer_bytes(&out));
		held_over(&w->held);
	}
	buffer_clear(&out);
}

static void wait_accept(struct check_wait *w, const struct ssh_action *action, const char *reason)
{
	wait_log(w, action->accept ? "SSH connection accepted" : "SSH connection rejected",
		 action->accept ? reason : "it must be recorded, and nobody records");
	metric_add_at(metric_checks, action->accept ? RESULT_ACCEPTED : RESULT_REFUSED, 1);
	wait_send(w, action);
}

static void wait_reject(struct check_wait *w, const char *reason)
{
	char message[256];

	wait_log(w, "SSH connection rejected", reason);
	metric_add_at(metric_checks, RESULT_REFUSED, 1);
	snprintf(message, sizeof message, "# This SSH connection was rejected: %s.\n", reason);
	wait_send(w, &(struct ssh_action){.reject = true, .message = bytes_text(message)});
}

static void followup_of(const struct login_id *id, char url[static FOLLOWUP_MAX])
{
	snprintf(url, FOLLOWUP_MAX, SSHACTION_URL "&auth_id=%s", id->text);
}

/* The URL that it came with, without a word: the client asks again at once. */
static void wait_send_away(struct check_wait *w)
{
	char url[FOLLOWUP_MAX];

	followup_of(&w->question.id, url);
	wait_send(w, &(struct ssh_action){.hold = url});
}

/* --- beginning -------------------------------------------------------------------------------------------------------------------------------------- */

static void on_begun(void *context, enum err e, const struct diag *why)
{
	struct check_wait *w = context;
	char page[ORIGIN_LOGIN_MAX], url[FOLLOWUP_MAX], message[ORIGIN_LOGIN_MAX + 128];

	if (!wait_back(w))
		return;
	if (e == ERR_EXHAUSTED || e == ERR_NOT_FOUND) {
		wait_reject(w, why->text);
	} else if (e || !origin_login(w->held.x, "auth", &w->begun, page)) {
		wait_fail(w, err_text(e ? e : ERR_BUG));
	} else {
		followup_of(&w->begun, url);
		snprintf(message, sizeof message, "# SSH requires an additional check.\n# To authenticate, visit: %s\n", page);
		wait_log(w, "SSH connection asks for a sign-in", "");
		metric_add_at(metric_checks, RESULT_BEGUN, 1);
		wait_send(w, &(struct ssh_action){.message = bytes_text(message), .hold = url});
	}
}

static void wait_begin(struct check_wait *w)
{
	char page[ORIGIN_LOGIN_MAX];

	login_id_mint(&w->begun);
	if (!origin_login(w->held.x, "auth", &w->begun, page)) {
		wait_reject(w, "this server does not know its own URL: its administrator should set server_url");
		return;
	}
	w->out = true;
	act_sshcheck_begin(w->c, w->tailnet, &w->begun, &w->login, on_begun, w);
}

/* --- judging ---------------------------------------------------------------------------------------------------------------------------------------- */

static void wait_hold(struct check_wait *w, int64_t left_ms)
{
	if (!w->held.open && (w->held.x->gone || w->c->draining)) {
		wait_send_away(w);
		return;
	}
	arena_reset(w->arena);
	if (!w->held.open) {
		held_open(&w->held, w->question.id.hash, left_ms);
	} else if (w->again) {
		w->again = false;
		wait_look(w);
	} else {
		held_wait(&w->held, left_ms);
	}
}

/* Stands for a check that there is not: it has ended. */
static const struct sshchecks_found none;

static void wait_decide(struct check_wait *w, const struct sshjudge_found *found)
{
	const struct sshchecks_found *followed = found->followed ? found->followed : &none;

	w->login = (struct sshcheck_login){w->question.source, w->question.destination, found->source->user, w->question.local_user};
	w->period_ms = found->period_ms;
	switch (sshcheck_decide(&w->login, found->period_ms, found->signin_age_ms, &followed->check, followed->left_ms)) {
	case SSHCHECK_ACCEPT:
		wait_accept(w, &found->accept, "somebody signed in");
		break;
	case SSHCHECK_REFUSE:
		wait_reject(w, arena_text(w->arena, followed->check.refusal));
		break;
	case SSHCHECK_BEGIN:
		wait_begin(w);
		break;
	case SSHCHECK_HOLD:
		wait_hold(w, followed->left_ms);
		break;
	}
}

static void on_judged(void *context, enum err e, const struct sshjudge_found *found)
{
	struct check_wait *w = context;

	if (!wait_back(w))
		return;
	if (e)
		wait_fail(w, err_text(e));
	else if (found->refusal)
		wait_reject(w, found->refusal);
	else if (!found->check)
		wait_accept(w, &found->accept, "the policy asks for no check");
	else
		wait_decide(w, found);
}

static void wait_judge(struct check_wait *w)
{
	arena_reset(w->arena);
	w->out = true;
	sshjudge(w->c, w->tailnet, &w->question, w->arena, on_judged, w);
}

/* --- looking ---------------------------------------------------------------------------------------------------------------------------------------- */

/* While the answer is to wait, nobody judges anew: a look is small. */
static void on_looked(void *context, enum err e, const struct sshchecks_found *found, int64_t signin_age_ms)
{
	const struct sshchecks_found *followed = found ? found : &none;
	struct check_wait *w = context;

	if (!wait_back(w))
		return;
	if (e)
		held_retry(&w->held);
	else if (sshcheck_decide(&w->login, w->period_ms, signin_age_ms, &followed->check, followed->left_ms) != SSHCHECK_HOLD)
		wait_judge(w);
	else
		wait_hold(w, followed->left_ms);
}

static void wait_look(struct check_wait *w)
{
	w->again = w->out;
	if (w->out)
		return;
	w->out = true;
	sshchecks_look(w->c->pg, w->tailnet, w->question.id.hash, w->question.source, w->arena, on_looked, w);
}

static void on_look(void *context)
{
	wait_look(context);
}

static void on_end(void *context)
{
	wait_send_away(context);
}

static const struct held_events events = {on_look, on_end, on_over};

/* --- asked ------------------------------------------------------------------------------------------------------------------------------------------ */

static void on_destination(void *context, enum err e, uint64_t tailnet)
{
	struct check_wait *w = context;

	if (!wait_back(w))
		return;
	w->tailnet = tailnet;
	if (e)
		wait_fail(w, err_text(e));
	else if (!tailnet)
		wait_reject(w, "this machine has no such node, or that may not take part now");
	else
		wait_judge(w);
}

static bool within_rate(struct exchange *x)
{
	struct coordinator *c = x->program;
	char digits[U64_DIGITS_MAX];
	unsigned retry_s;

	if (rate_take(c->request_rate, bytes_of(x->machine->raw, KEY_LEN), clock_mono(), &retry_s))
		return true;
	exchange_add_header(x, "Retry-After", bytes_of(digits, text_put_u64(digits, retry_s)));
	exchange_reply_text(x, 429, "too many requests of this machine: try again later\n");
	return false;
}

void serve_sshaction(struct exchange *x)
{
	struct check_wait *w;
	struct sshquestion question;
	struct diag why = {0};

	if (!within_rate(x))
		return;
	if (sshquestion_read(x->params[0], x->params[1], exchange_query(x, "local_user"), exchange_query(x, "auth_id"), &question, &why)) {
		exchange_reply_text(x, 400, arena_format(x->arena, "%s\n", why.text));
		return;
	}
	w = x_zalloc(sizeof *w);
	w->c = x->program;
	w->arena = arena_new();
	w->question = question;
	memcpy(w->local_user, question.local_user.at, question.local_user.len);
	w->question.local_user = bytes_of(w->local_user, question.local_user.len);
	held_init(&w->held, x, &events, w);
	w->out = true;
	sshchecks_destination(w->c->pg, question.destination, x->machine, on_destination, w);
}
