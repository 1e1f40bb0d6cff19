#include "v1_apikey.h"

#include <stdio.h>

#include "act_apikey.h"
#include "done.h"
#include "fields.h"
#include "keyring.h"
#include "problem.h"
#include "text.h"

struct key_task {
	struct exchange *x;
	const char *detail;
	unsigned row;
	struct secret secret;
	uint64_t id, tailnet;
	struct bytes prefix;
	bool deletes;
};

/* NULL: it was refused. */
static struct key_task *task_new(struct exchange *x, const char *detail, bool writes)
{
	struct key_task *t = ARENA_NEW(x->arena, struct key_task);

	t->x = x;
	t->detail = detail;
	return keyring_owner(x, writes, &t->tailnet) ? t : NULL;
}

static void apikey_write(struct jsonw *w, const struct apikey *key)
{
	char masked[SECRET_TEXT_MAX];

	snprintf(masked, sizeof masked, "hskey-api-%s-***", key->prefix);
	jsonw_object(w, NULL);
	jsonw_uint_text(w, "id", key->id);
	jsonw_string(w, "prefix", masked);
	jsonw_time_or_null(w, "expiration", wall_is_zero(key->revoked) ? key->expiry : key->revoked);
	jsonw_time(w, "createdAt", key->created);
	jsonw_time_or_null(w, "lastSeen", key->last_used);
	jsonw_object_end(w);
}

static void on_listed(void *context, enum err e, struct tx *tx, const struct diag *why)
{
	struct key_task *t = context;
	struct answer answer;
	struct apikey *keys;
	size_t count;

	if (e) {
		problem_reply_err(t->x, e, t->detail, why);
		return;
	}
	count = apikeys_read(tx, t->row, t->x->arena, &keys);
	answer_start(&answer);
	jsonw_array(&answer.w, "apiKeys");
	for (size_t i = 0; i < count; i++)
		apikey_write(&answer.w, &keys[i]);
	jsonw_array_end(&answer.w);
	answer_send(&answer, t->x, t->detail);
}

void v1_apikey_list(struct exchange *x)
{
	struct coordinator *c = x->program;
	struct key_task *t = task_new(x, "listing API keys", false);
	struct tx *tx;

	if (!t)
		return;
	tx = tx_begin(c->pg, t->tailnet, TX_READ);
	t->row = apikeys_list(tx);
	tx_run(tx, on_listed, t);
}

static void on_created(void *context, enum err e, struct tx *tx, const struct diag *why)
{
	struct key_task *t = context;
	struct answer answer;

	(void)tx;
	if (e) {
		problem_reply_err(t->x, e, t->detail, why);
	} else {
		answer_start(&answer);
		jsonw_string(&answer.w, "apiKey", t->secret.text);
		answer_send(&answer, t->x, t->detail);
	}
	key_wipe(&t->secret, sizeof t->secret);
}

void v1_apikey_create(struct exchange *x)
{
	struct coordinator *c = x->program;
	struct key_task *t = task_new(x, "creating API key", true);
	struct apikey key = {0};
	struct tx *tx;

	if (!t || !keyring_may_make(x, scopes_all(), t->detail) || !fields_read(x, (struct field[]){{"expiration", FIELD_TIME, &key.expiry}, {0}}, t->detail))
		return;
	/* headscale: a missing expiration is the zero time, so that the key is expired at once. */
	if (wall_is_zero(key.expiry))
		key.expiry = clock_wall();
	tx = tx_begin(c->pg, t->tailnet, TX_WRITE);
	act_apikey_create(tx, &asker_of(x)->actor, &key, &t->secret);
	act_commit(c, tx, on_created, t);
}

static void task_end_key(struct key_task *t, uint64_t id)
{
	struct coordinator *c = t->x->program;
	struct tx *tx = tx_begin(c->pg, t->tailnet, TX_WRITE);

	if (t->deletes)
		act_apikey_delete(tx, &asker_of(t->x)->actor, id);
	else
		act_apikey_expire(tx, &asker_of(t->x)->actor, id);
	done_commit(t->x, tx, t->detail);
}

static void on_found(void *context, enum err e, struct tx *tx, const struct diag *why)
{
	struct key_task *t = context;
	struct apikey *keys;

	if (e)
		problem_reply_err(t->x, e, t->detail, why);
	else if (!apikeys_read(tx, t->row, t->x->arena, &keys))
		problem_reply(t->x, 404, t->detail, "API key not found", NULL);
	else
		task_end_key(t, keys[0].id);
}

/* "PREFIX", "hskey-api-PREFIX", and the masked form that lists show. */
static struct bytes bare_prefix(struct bytes text)
{
	struct bytes rest;

	if (bytes_starts(text, "hskey-api-"))
		text = bytes_skip(text, strlen("hskey-api-"));
	return bytes_split(text, '-', &rest);
}

static void task_end(struct key_task *t)
{
	struct coordinator *c = t->x->program;
	struct tx *tx;

	if ((t->id != 0) == (t->prefix.len != 0)) {
		problem_reply(t->x, 400, t->detail, "give either an id or a prefix", NULL);
		return;
	}
	if (t->id) {
		task_end_key(t, t->id);
		return;
	}
	tx = tx_begin(c->pg, t->tailnet, TX_READ);
	t->row = apikeys_get_prefix(tx, bare_prefix(t->prefix));
	tx_run(tx, on_found, t);
}

void v1_apikey_expire(struct exchange *x)
{
	struct key_task *t = task_new(x, "expiring API key", true);

	if (t && fields_read(x, (struct field[]){{"id", FIELD_ID, &t->id}, {"prefix", FIELD_TEXT, &t->prefix}, {0}}, t->detail))
		task_end(t);
}

void v1_apikey_delete(struct exchange *x)
{
	struct key_task *t = task_new(x, "deleting API key", true);
	struct bytes id = exchange_query(x, "id");

	if (!t)
		return;
	t->deletes = true;
	t->prefix = x->params[0];
	if (id.len && text_parse_u64(id, INT64_MAX, &t->id)) {
		problem_reply(x, 400, t->detail, "the id must be a decimal number", "query.id");
		return;
	}
	task_end(t);
}
