#include "own_joining.h"

#include <stdio.h>

#include "act_authkey.h"
#include "act_node.h"
#include "charter.h"
#include "fields.h"
#include "guard.h"
#include "hostinfo.h"
#include "logins.h"
#include "page.h"
#include "problem.h"
#include "sshchecks.h"
#include "users.h"
#include "v1_node.h"
#include "v1_user.h"

enum { DESCRIPTION_MAX = 1024 };

struct joining_task {
	struct exchange *x;
	const char *detail;
	struct page page;
	unsigned row, users;
	struct secret secret;
	struct authkey key;
	uint64_t id;
};

static struct joining_task *task_new(struct exchange *x, const char *detail)
{
	struct joining_task *t = ARENA_NEW(x->arena, struct joining_task);

	t->x = x;
	t->detail = detail;
	return t;
}

/* --- auth keys -------------------------------------------------------------------------------------------------------------------------------------- */

static void authkey_write(struct jsonw *w, const char *name, const struct authkey *key, const struct user *user, const char *secret)
{
	char masked[SECRET_TEXT_MAX];

	snprintf(masked, sizeof masked, "hskey-auth-%s-***", key->prefix);
	jsonw_object(w, name);
	jsonw_uint_text(w, "id", key->id);
	jsonw_string(w, "key", secret ? secret : masked);
	v1_user_write(w, "user", user);
	jsonw_array(w, "tags");
	for (size_t i = 0; i < key->tag_count; i++)
		jsonw_text(w, NULL, key->tags[i]);
	jsonw_array_end(w);
	jsonw_text(w, "description", key->description);
	jsonw_bool(w, "reusable", key->reusable);
	jsonw_bool(w, "ephemeral", key->ephemeral);
	jsonw_bool(w, "preapproved", key->preapproved);
	jsonw_bool(w, "used", key->used_by != 0);
	jsonw_uint(w, "uses", key->uses);
	jsonw_uint(w, "usesMost", key->uses_most);
	jsonw_time_or_null(w, "expiration", key->expiry);
	jsonw_time_or_null(w, "revokedAt", key->revoked);
	jsonw_time(w, "createdAt", key->created);
	jsonw_object_end(w);
}

static void on_listed(void *context, enum err e, struct tx *tx, const struct diag *why)
{
	struct joining_task *t = context;
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
	jsonw_array(&answer.w, "authKeys");
	for (size_t i = 0; page_shows(&t->page, &answer.w, i, count); i++)
		authkey_write(&answer.w, NULL, &keys[i], v1_user_find(users, user_count, keys[i].user), NULL);
	jsonw_array_end(&answer.w);
	page_write_next(&answer.w, t->x, &t->page, t->page.shown ? keys[t->page.shown - 1].id : 0);
	answer_send(&answer, t->x, t->detail);
}

void own_authkeys_list(struct exchange *x)
{
	struct coordinator *c = x->program;
	struct joining_task *t = task_new(x, "listing auth keys");
	struct tx *tx;

	if (!page_read(x, &t->page, t->detail))
		return;
	tx = tx_begin(c->pg, asker_of(x)->tailnet.id, TX_READ);
	t->row = authkeys_page(tx, t->page.after, page_want(&t->page));
	t->users = users_list(tx);
	tx_run(tx, on_listed, t);
}

static void on_created(void *context, enum err e, struct tx *tx, const struct diag *why)
{
	struct joining_task *t = context;
	struct answer answer;
	struct authkey *keys;
	struct user *users;
	size_t user_count;

	if (e || !authkeys_read(tx, t->row, t->x->arena, &keys)) {
		problem_reply_err(t->x, e ? e : ERR_BUG, t->detail, why);
	} else {
		user_count = users_read(tx, t->users, t->x->arena, &users);
		answer_start(&answer);
		authkey_write(&answer.w, "authKey", &keys[0], v1_user_find(users, user_count, keys[0].user), t->secret.text);
		answer_send(&answer, t->x, t->detail);
	}
	key_wipe(&t->secret, sizeof t->secret);
}

static void task_create(struct joining_task *t)
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
	struct joining_task *t = context;
	struct diag why = {0};

	if (!e)
		e = charter_check_tags(charter, t->key.tags, t->key.tag_count, &why);
	if (e)
		problem_reply_err(t->x, e, t->detail, &why);
	else
		task_create(t);
}

/* Without an expiration a key does not end; v1 has it end at once. */
void own_authkeys_create(struct exchange *x)
{
	struct joining_task *t = task_new(x, "creating auth key");
	struct field_texts tags = {0};
	struct field_count uses = {0};
	struct diag why = {0};
	enum err e;

	t->key = (struct authkey){.tailnet = asker_of(x)->tailnet.id, .expiry = WALL_ZERO};
	if (!fields_read(x,
			 (struct field[]){{"user", FIELD_ID, &t->key.user},
					  {"usesMost", FIELD_COUNT, &uses},
					  {"reusable", FIELD_BOOL, &t->key.reusable},
					  {"ephemeral", FIELD_BOOL, &t->key.ephemeral},
					  {"preapproved", FIELD_BOOL, &t->key.preapproved},
					  {"tags", FIELD_TEXTS, &tags},
					  {"description", FIELD_TEXT, &t->key.description},
					  {"expiration", FIELD_TIME, &t->key.expiry},
					  {0}},
			 t->detail))
		return;
	t->key.uses_most = uses.value > AUTHKEY_USES_MAX ? AUTHKEY_USES_MAX + 1 : (unsigned)uses.value;
	e = act_check_text(t->key.description, "description", DESCRIPTION_MAX, &why);
	if (!e)
		e = act_tags_check(tags.list, &tags.count, &why);
	t->key.tags = tags.list;
	t->key.tag_count = tags.count;
	if (e)
		problem_reply_err(x, e, t->detail, &why);
	else if (tags.count)
		charter_ask(x->program, t->key.tailnet, 0, on_charter, t);
	else
		task_create(t);
}

/* --- logins ------------------------------------------------------------------------------------------------------------------------------------------ */

static void login_write(struct jsonw *w, const struct login *login, struct arena *arena)
{
	char key[KEY_TEXT_MAX];

	jsonw_object(w, NULL);
	jsonw_uint_text(w, "id", login->id);
	jsonw_text(w, "name", hostinfo_text(login->hostinfo, "Hostname", arena));
	jsonw_text(w, "os", hostinfo_text(login->hostinfo, "OS", arena));
	jsonw_text(w, "address", login->address);
	key_format_machine(key, &login->machine_key);
	jsonw_string(w, "machineKey", key);
	jsonw_bool(w, "ephemeral", login->ephemeral);
	jsonw_time(w, "createdAt", login->created);
	jsonw_time(w, "endsAt", login->ends);
	jsonw_object_end(w);
}

static void on_logins(void *context, enum err e, struct tx *tx, const struct diag *why)
{
	struct joining_task *t = context;
	struct answer answer;
	struct login *logins;
	size_t count;

	if (e) {
		problem_reply_err(t->x, e, t->detail, why);
		return;
	}
	count = logins_read(tx, t->row, t->x->arena, &logins);
	answer_start(&answer);
	jsonw_array(&answer.w, "logins");
	for (size_t i = 0; page_shows(&t->page, &answer.w, i, count); i++)
		login_write(&answer.w, &logins[i], t->x->arena);
	jsonw_array_end(&answer.w);
	page_write_next(&answer.w, t->x, &t->page, t->page.shown ? logins[t->page.shown - 1].id : 0);
	answer_send(&answer, t->x, t->detail);
}

void own_logins_list(struct exchange *x)
{
	struct coordinator *c = x->program;
	struct joining_task *t = task_new(x, "listing logins");
	struct tx *tx;

	if (!page_read(x, &t->page, t->detail))
		return;
	tx = tx_begin(c->pg, asker_of(x)->tailnet.id, TX_READ);
	t->row = logins_page(tx, t->page.after, page_want(&t->page));
	tx_run(tx, on_logins, t);
}

/* --- checks of SSH rules --------------------------------------------------------------------------------------------------------------------------------- */

static void check_write(struct jsonw *w, const struct sshchecks_found *found)
{
	jsonw_object(w, NULL);
	jsonw_uint_text(w, "id", found->check.id);
	jsonw_uint_text(w, "sourceId", found->check.source);
	jsonw_text(w, "source", found->source);
	jsonw_text(w, "owner", found->owner);
	jsonw_uint_text(w, "destinationId", found->check.destination);
	jsonw_text(w, "destination", found->destination);
	jsonw_text(w, "localUser", found->check.local_user);
	jsonw_time(w, "createdAt", found->check.created);
	jsonw_time(w, "endsAt", found->check.ends);
	jsonw_object_end(w);
}

static void on_checks(void *context, enum err e, struct tx *tx, const struct diag *why)
{
	struct joining_task *t = context;
	struct answer answer;
	struct sshchecks_found *checks;
	size_t count;

	if (e) {
		problem_reply_err(t->x, e, t->detail, why);
		return;
	}
	count = sshchecks_read(tx, t->row, t->x->arena, &checks);
	answer_start(&answer);
	jsonw_array(&answer.w, "sshChecks");
	for (size_t i = 0; page_shows(&t->page, &answer.w, i, count); i++)
		check_write(&answer.w, &checks[i]);
	jsonw_array_end(&answer.w);
	page_write_next(&answer.w, t->x, &t->page, t->page.shown ? checks[t->page.shown - 1].check.id : 0);
	answer_send(&answer, t->x, t->detail);
}

void own_sshchecks_list(struct exchange *x)
{
	struct coordinator *c = x->program;
	struct joining_task *t = task_new(x, "listing SSH checks");
	struct tx *tx;

	if (!page_read(x, &t->page, t->detail))
		return;
	tx = tx_begin(c->pg, asker_of(x)->tailnet.id, TX_READ);
	t->row = sshchecks_page(tx, t->page.after, page_want(&t->page));
	tx_run(tx, on_checks, t);
}

/* --- approval ---------------------------------------------------------------------------------------------------------------------------------------- */

static void on_approved(void *context, enum err e, const struct node *node, const struct diag *why)
{
	struct joining_task *t = context;

	(void)node;
	if (e)
		problem_reply_err(t->x, e, t->detail, why);
	else
		v1_node_show(t->x, t->id, t->detail);
}

void own_node_approve(struct exchange *x)
{
	struct joining_task *t = task_new(x, "approving node");
	struct field_flag approved = {0};

	if (!fields_path_id(x, 0, &t->id, t->detail) || !fields_read(x, (struct field[]){{"approved", FIELD_FLAG, &approved}, {0}}, t->detail))
		return;
	if (!approved.present)
		problem_reply(x, 400, t->detail, "say whether it is approved: true or false", "body.approved");
	else
		act_node_approve(x->program, &asker_of(x)->actor, asker_of(x)->tailnet.id, t->id, approved.value, on_approved, t);
}
