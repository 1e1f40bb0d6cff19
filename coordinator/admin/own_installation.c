#include "act_apikey.h"
#include "fields.h"
#include "guard.h"
#include "keyring.h"
#include "own.h"
#include "problem.h"

enum { DESCRIPTION_MAX = 1024 };

struct task {
	struct exchange *x;
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
	if (!keyring_may_make(x, scopes_all(), "creating operator key"))
		return;
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
