#include "act_apikey.h"
#include "audits.h"
#include "fields.h"
#include "guard.h"
#include "own.h"
#include "problem.h"
#include "text.h"

enum { AUDITS_PAGE = 100, AUDITS_PAGE_MAX = 1000, DESCRIPTION_MAX = 1024 };

struct task {
	struct exchange *x;
	unsigned row;
	struct secret secret;
};

static void on_key(void *context, enum err e, struct tx *tx, const struct diag *why)
{
	struct task *t = context;
	struct answer answer;

	(void)tx;
	if (e) {
		problem_reply_err(t->x, e, "creating operator key", why);
	} else {
		answer_start(&answer);
		jsonw_string(&answer.w, "apiKey", t->secret.text);
		answer_send(&answer, t->x, "creating operator key");
	}
	key_wipe(&t->secret, sizeof t->secret);
}

void own_operator_create(struct exchange *x)
{
	struct coordinator *c = x->program;
	struct task *t = ARENA_NEW(x->arena, struct task);
	struct apikey key = {0};
	struct diag why = {0};
	struct tx *tx;

	t->x = x;
	if (!fields_read(x, (struct field[]){{"expiration", FIELD_TIME, &key.expiry}, {"description", FIELD_TEXT, &key.description}, {0}},
			 "creating operator key"))
		return;
	if (wall_is_zero(key.expiry) || !x->body.len) {
		problem_reply(x, 400, "creating operator key", "an operator key needs an expiration", "body.expiration");
		return;
	}
	if (act_check_text(key.description, "description", DESCRIPTION_MAX, &why)) {
		problem_reply(x, 400, "creating operator key", why.text, "body.description");
		return;
	}
	tx = tx_begin(c->pg, TAILNET_INSTALLATION, TX_WRITE);
	act_apikey_create(tx, &asker_of(x)->actor, &key, &t->secret);
	act_commit(c, tx, on_key, t);
}

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
		problem_reply_err(t->x, e, "listing audits", why);
		return;
	}
	count = audits_read(tx, t->row, t->x->arena, &audits);
	answer_start(&answer);
	jsonw_array(&answer.w, "audits");
	for (size_t i = 0; i < count; i++)
		audit_write(&answer.w, &audits[i]);
	jsonw_array_end(&answer.w);
	answer_send(&answer, t->x, "listing audits");
}

static bool query_number(struct exchange *x, const char *name, uint64_t max, uint64_t *value)
{
	struct bytes text = exchange_query(x, name);

	if (!text.len || !text_parse_u64(text, max, value))
		return true;
	problem_reply(x, 400, "listing audits", "before is a decimal number, limit one of at most 1000", name);
	return false;
}

static void audits_list_of(struct exchange *x, uint64_t tailnet)
{
	struct coordinator *c = x->program;
	struct task *t = ARENA_NEW(x->arena, struct task);
	uint64_t before = 0, limit = AUDITS_PAGE;
	struct tx *tx;

	t->x = x;
	if (!query_number(x, "before", INT64_MAX, &before) || !query_number(x, "limit", AUDITS_PAGE_MAX, &limit))
		return;
	tx = tx_begin(c->pg, tailnet, TX_READ);
	t->row = audits_list(tx, before, (unsigned)limit);
	tx_run(tx, on_audits, t);
}

void own_audits_list(struct exchange *x)
{
	audits_list_of(x, asker_of(x)->tailnet.id);
}

void own_operator_audits_list(struct exchange *x)
{
	audits_list_of(x, TAILNET_INSTALLATION);
}

static void on_health(void *context, enum err e, struct tx *tx, const struct diag *why)
{
	(void)tx;
	if (e)
		problem_reply_err(context, ERR_BUG, "checking the database", why);
	else
		admin_reply(context, BYTES("{\"databaseConnectivity\":true}"));
}

void v1_health(struct exchange *x)
{
	struct coordinator *c = x->program;
	struct tx *tx = tx_begin(c->pg, TAILNET_INSTALLATION, TX_READ);

	tx_add(tx, "SELECT 1");
	tx_run(tx, on_health, x);
}
