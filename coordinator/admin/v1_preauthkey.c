#include "v1_preauthkey.h"

#include <stdio.h>

#include "act_authkey.h"
#include "charter.h"
#include "done.h"
#include "fields.h"
#include "guard.h"
#include "problem.h"
#include "text.h"
#include "users.h"
#include "v1_user.h"

struct key_task {
	struct exchange *x;
	const char *detail;
	unsigned row, users;
	struct secret secret;
	struct authkey key;
	uint64_t id;
};

static struct key_task *task_new(struct exchange *x, const char *detail)
{
	struct key_task *t = ARENA_NEW(x->arena, struct key_task);

	t->x = x;
	t->detail = detail;
	return t;
}

void v1_preauthkey_write(struct jsonw *w, const char *name, const struct authkey *key, const struct user *user, const char *secret)
{
	char masked[SECRET_TEXT_MAX];

	if (!key) {
		jsonw_null(w, name);
		return;
	}
	snprintf(masked, sizeof masked, "hskey-auth-%s-***", key->prefix);
	jsonw_object(w, name);
	v1_user_write(w, "user", user);
	jsonw_uint_text(w, "id", key->id);
	jsonw_string(w, "key", secret ? secret : masked);
	jsonw_bool(w, "reusable", key->reusable);
	jsonw_bool(w, "ephemeral", key->ephemeral);
	jsonw_bool(w, "used", key->used_by != 0);
	/* A revoked key shows when it ended, as an expired one does. */
	jsonw_time(w, "expiration", wall_is_zero(key->revoked) ? key->expiry : key->revoked);
	jsonw_time(w, "createdAt", key->created);
	jsonw_array(w, "aclTags");
	for (size_t i = 0; i < key->tag_count; i++)
		jsonw_text(w, NULL, key->tags[i]);
	jsonw_array_end(w);
	jsonw_object_end(w);
}

static void on_listed(void *context, enum err e, struct tx *tx, const struct diag *why)
{
	struct key_task *t = context;
	struct answer answer;
	struct authkey *keys;
	struct user *users;
	size_t count, user_count;

	if (e) {
		problem_reply_err(t->x, e, t->detail, why);
		return;
	}
	count = authkeys_read(tx, t->row, t->x->arena, &keys);
	user_count = users_read(tx, t->users, t->x->arena, &users);
	answer_start(&answer);
	jsonw_array(&answer.w, "preAuthKeys");
	for (size_t i = 0; i < count; i++)
		v1_preauthkey_write(&answer.w, NULL, &keys[i], v1_user_find(users, user_count, keys[i].user), NULL);
	jsonw_array_end(&answer.w);
	answer_send(&answer, t->x, t->detail);
}

void v1_preauthkey_list(struct exchange *x)
{
	struct coordinator *c = x->program;
	struct key_task *t = task_new(x, "listing pre-auth keys");
	struct tx *tx = tx_begin(c->pg, asker_of(x)->tailnet.id, TX_READ);

	t->row = authkeys_list(tx);
	t->users = users_list(tx);
	tx_run(tx, on_listed, t);
}

static void on_created(void *context, enum err e, struct tx *tx, const struct diag *why)
{
	struct key_task *t = context;
	struct answer answer;
	struct authkey *keys;
	struct user *users;
	size_t user_count;

	if (e || !authkeys_read(tx, t->row, t->x->arena, &keys)) {
		problem_reply_err(t->x, e ? e : ERR_BUG, t->detail, why);
	} else {
		user_count = users_read(tx, t->users, t->x->arena, &users);
		answer_start(&answer);
		v1_preauthkey_write(&answer.w, "preAuthKey", &keys[0], v1_user_find(users, user_count, keys[0].user), t->secret.text);
		answer_send(&answer, t->x, t->detail);
	}
	key_wipe(&t->secret, sizeof t->secret);
}

static void task_create(struct key_task *t)
{
	struct exchange *x = t->x;
	struct coordinator *c = x->program;
	struct tx *tx = tx_begin(c->pg, t->key.tailnet, TX_WRITE);
	struct diag why = {0};
	enum err e = act_authkey_create(tx, &asker_of(x)->actor, &t->key, &t->secret, &t->row, &why);

	if (e) {
		tx_abandon(tx);
		problem_reply_err(x, e, t->detail, &why);
		return;
	}
	t->users = users_get(tx, t->key.user);
	act_commit(c, tx, on_created, t);
}

static void on_charter(void *context, enum err e, const struct charter *charter)
{
	struct key_task *t = context;
	struct diag why = {0};

	if (!e)
		e = charter_check_tags(charter, t->key.tags, t->key.tag_count, &why);
	if (e)
		problem_reply_err(t->x, e, t->detail, &why);
	else
		task_create(t);
}

void v1_preauthkey_create(struct exchange *x)
{
	struct key_task *t = task_new(x, "creating pre-auth key");
	struct field_texts tags = {0};
	struct diag why = {0};
	enum err e;

	t->key.tailnet = asker_of(x)->tailnet.id;
	if (!fields_read(x,
			 (struct field[]){{"user", FIELD_ID, &t->key.user},
					  {"reusable", FIELD_BOOL, &t->key.reusable},
					  {"ephemeral", FIELD_BOOL, &t->key.ephemeral},
					  {"expiration", FIELD_TIME, &t->key.expiry},
					  {"aclTags", FIELD_TEXTS, &tags},
					  {0}},
			 t->detail))
		return;
	e = act_tags_check(tags.list, &tags.count, &why);
	t->key.tags = tags.list;
	t->key.tag_count = tags.count;
	/* headscale: a missing expiration is the zero time, so that the key is expired at once. */
	if (wall_is_zero(t->key.expiry))
		t->key.expiry = clock_wall();
	if (e)
		problem_reply_err(x, e, t->detail, &why);
	else if (tags.count)
		charter_ask(x->program, t->key.tailnet, 0, on_charter, t);
	else
		task_create(t);
}

void v1_preauthkey_expire(struct exchange *x)
{
	struct coordinator *c = x->program;
	struct key_task *t = task_new(x, "expiring pre-auth key");
	struct tx *tx;

	if (!fields_read(x, (struct field[]){{"id", FIELD_ID, &t->id}, {0}}, t->detail))
		return;
	tx = tx_begin(c->pg, asker_of(x)->tailnet.id, TX_WRITE);
	act_authkey_expire(tx, &asker_of(x)->actor, t->id);
	done_commit(x, tx, t->detail);
}

void v1_preauthkey_delete(struct exchange *x)
{
	struct coordinator *c = x->program;
	struct key_task *t = task_new(x, "deleting pre-auth key");
	struct tx *tx;

	if (text_parse_u64(exchange_query(x, "id"), INT64_MAX, &t->id)) {
		problem_reply(x, 400, t->detail, "the id must be a decimal number", "query.id");
		return;
	}
	tx = tx_begin(c->pg, asker_of(x)->tailnet.id, TX_WRITE);
	act_authkey_delete(tx, &asker_of(x)->actor, t->id);
	done_commit(x, tx, t->detail);
}
