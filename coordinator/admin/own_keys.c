#include <stdio.h>

#include "act_apikey.h"
#include "done.h"
#include "fields.h"
#include "keyring.h"
#include "own.h"
#include "page.h"
#include "problem.h"

enum { DESCRIPTION_MAX = 1024 };

struct keys_task {
	struct exchange *x;
	const char *detail;
	uint64_t tailnet;
	unsigned row;
	struct page page;
	struct secret secret;
};

/* NULL: it was refused. */
static struct keys_task *task_new(struct exchange *x, const char *detail, bool writes)
{
	struct keys_task *t = ARENA_NEW(x->arena, struct keys_task);

	t->x = x;
	t->detail = detail;
	return keyring_owner(x, writes, &t->tailnet) ? t : NULL;
}

static void key_write(struct jsonw *w, const char *name, const struct apikey *key)
{
	jsonw_object(w, name);
	jsonw_uint_text(w, "id", key->id);
	jsonw_string(w, "prefix", key->prefix);
	jsonw_text(w, "description", key->description);
	jsonw_array(w, "scopes");
	for (size_t i = 0; i < key->scope_count; i++)
		jsonw_text(w, NULL, key->scopes[i]);
	jsonw_array_end(w);
	jsonw_time(w, "createdAt", key->created);
	jsonw_time_or_null(w, "expiration", key->expiry);
	jsonw_time_or_null(w, "revokedAt", key->revoked);
	jsonw_time_or_null(w, "lastUsed", key->last_used);
	jsonw_object_end(w);
}

static void on_listed(void *context, enum err e, struct tx *tx, const struct diag *why)
{
	struct keys_task *t = context;
	struct answer answer;
	struct apikey *keys;
	size_t count;

	if (e) {
		problem_reply_err(t->x, e, t->detail, why);
		return;
	}
	count = apikeys_read(tx, t->row, t->x->arena, &keys);
	answer_start(&answer);
	jsonw_array(&answer.w, "keys");
	for (size_t i = 0; page_shows(&t->page, &answer.w, i, count); i++)
		key_write(&answer.w, NULL, &keys[i]);
	jsonw_array_end(&answer.w);
	page_write_next(&answer.w, t->x, &t->page, t->page.shown ? keys[t->page.shown - 1].id : 0);
	answer_send(&answer, t->x, t->detail);
}

void own_keys_list(struct exchange *x)
{
	struct coordinator *c = x->program;
	struct keys_task *t = task_new(x, "listing API keys", false);
	struct tx *tx;

	if (!t || !page_read(x, &t->page, t->detail))
		return;
	tx = tx_begin(c->pg, t->tailnet, TX_READ);
	t->row = apikeys_page(tx, t->page.after, page_want(&t->page));
	tx_run(tx, on_listed, t);
}

static void on_created(void *context, enum err e, struct tx *tx, const struct diag *why)
{
	struct keys_task *t = context;
	struct answer answer;
	struct apikey *keys;

	if (e || !apikeys_read(tx, t->row, t->x->arena, &keys)) {
		problem_reply_err(t->x, e ? e : ERR_BUG, t->detail, why);
	} else {
		answer_start(&answer);
		jsonw_string(&answer.w, "apiKey", t->secret.text);
		key_write(&answer.w, "key", &keys[0]);
		answer_send(&answer, t->x, t->detail);
	}
	key_wipe(&t->secret, sizeof t->secret);
}

/* What a body asks for; false: it was refused. */
static bool key_take(struct keys_task *t, struct apikey *key)
{
	struct field_texts names = {0};
	struct scopes scopes;
	struct diag why = {0};

	if (!fields_read(
		    t->x,
		    (struct field[]){
			    {"description", FIELD_TEXT, &key->description}, {"expiration", FIELD_TIME, &key->expiry}, {"scopes", FIELD_TEXTS, &names}, {0}},
		    t->detail))
		return false;
	if (!t->x->body.len)
		key->expiry = WALL_ZERO;
	if (!t->tailnet && wall_is_zero(key->expiry)) {
		problem_reply(t->x, 400, t->detail, "an operator key needs an expiration", "body.expiration");
		return false;
	}
	if (act_check_text(key->description, "description", DESCRIPTION_MAX, &why)) {
		problem_reply(t->x, 400, t->detail, why.text, "body.description");
		return false;
	}
	if (scopes_parse(names.list, names.count, &scopes, &why)) {
		problem_reply(t->x, 400, t->detail, why.text, "body.scopes");
		return false;
	}
	key->scopes = names.list;
	key->scope_count = names.count;
	return keyring_may_make(t->x, scopes, t->detail);
}

void own_keys_create(struct exchange *x)
{
	struct coordinator *c = x->program;
	struct keys_task *t = task_new(x, "creating API key", true);
	struct apikey key = {0};
	struct tx *tx;

	if (!t || !key_take(t, &key))
		return;
	tx = tx_begin(c->pg, t->tailnet, TX_WRITE);
	t->row = act_apikey_create(tx, &asker_of(x)->actor, &key, &t->secret);
	act_commit(c, tx, on_created, t);
}

void own_keys_delete(struct exchange *x)
{
	struct coordinator *c = x->program;
	struct keys_task *t = task_new(x, "deleting API key", true);
	struct tx *tx;
	uint64_t id;

	if (!t || !fields_path_id(x, 0, &id, t->detail))
		return;
	tx = tx_begin(c->pg, t->tailnet, TX_WRITE);
	act_apikey_delete(tx, &asker_of(x)->actor, id);
	done_commit(x, tx, t->detail);
}
