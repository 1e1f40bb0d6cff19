#include "v1_user.h"

#include <stdlib.h>

#include "act_user.h"
#include "done.h"
#include "fields.h"
#include "guard.h"
#include "problem.h"
#include "text.h"

struct user_task {
	struct exchange *x;
	unsigned row;
	const char *detail;
	struct bytes name, email;
	uint64_t id;
};

void v1_user_write(struct jsonw *w, const char *name, const struct user *user)
{
	if (!user) {
		jsonw_null(w, name);
		return;
	}
	jsonw_object(w, name);
	jsonw_uint_text(w, "id", user->id);
	jsonw_text(w, "name", user->name);
	jsonw_time(w, "createdAt", user->created);
	jsonw_text(w, "displayName", user->display_name);
	jsonw_text(w, "email", user->email);
	jsonw_string(w, "providerId", "");
	jsonw_text(w, "provider", user->provider);
	jsonw_text(w, "profilePicUrl", user->picture_url);
	jsonw_object_end(w);
}

static int compare_user(const void *id, const void *user)
{
	uint64_t a = *(const uint64_t *)id, b = ((const struct user *)user)->id;

	return (a > b) - (a < b);
}

const struct user *v1_user_find(const struct user *users, size_t count, uint64_t id)
{
	return count ? bsearch(&id, users, count, sizeof *users, compare_user) : NULL;
}

static struct user_task *task_new(struct exchange *x, const char *detail)
{
	struct user_task *t = ARENA_NEW(x->arena, struct user_task);

	t->x = x;
	t->detail = detail;
	return t;
}

/* Precedence name, then email, then id; id 0 means all (headscale). */
static bool task_wants(const struct user_task *t, const struct user *user)
{
	if (t->name.len)
		return bytes_equal(t->name, user->name);
	if (t->email.len)
		return bytes_equal(t->email, user->email);
	return !t->id || t->id == user->id;
}

static void on_listed(void *context, enum err e, struct tx *tx, const struct diag *why)
{
	struct user_task *t = context;
	struct answer answer;
	struct user *users;
	size_t count;

	if (e) {
		problem_reply_err(t->x, e, t->detail, why);
		return;
	}
	count = users_read(tx, t->row, t->x->arena, &users);
	answer_start(&answer);
	jsonw_array(&answer.w, "users");
	for (size_t i = 0; i < count; i++)
		if (task_wants(t, &users[i]))
			v1_user_write(&answer.w, NULL, &users[i]);
	jsonw_array_end(&answer.w);
	answer_send(&answer, t->x, t->detail);
}

void v1_user_list(struct exchange *x)
{
	struct coordinator *c = x->program;
	struct user_task *t = task_new(x, "listing users");
	struct bytes id = exchange_query(x, "id");
	struct tx *tx;

	t->name = exchange_query(x, "name");
	t->email = exchange_query(x, "email");
	if (id.len && text_parse_u64(id, INT64_MAX, &t->id)) {
		problem_reply(x, 400, t->detail, "the id must be a decimal number", "query.id");
		return;
	}
	tx = tx_begin(c->pg, asker_of(x)->tailnet.id, TX_READ);
	t->row = users_list(tx);
	tx_run(tx, on_listed, t);
}

static void on_written(void *context, enum err e, struct tx *tx, const struct diag *why)
{
	struct user_task *t = context;
	struct answer answer;
	struct user *users = NULL;

	if (e) {
		problem_reply_err(t->x, e, t->detail, why);
		return;
	}
	answer_start(&answer);
	v1_user_write(&answer.w, "user", users_read(tx, t->row, t->x->arena, &users) ? &users[0] : NULL);
	answer_send(&answer, t->x, t->detail);
}

void v1_user_create(struct exchange *x)
{
	struct coordinator *c = x->program;
	struct user_task *t = task_new(x, "creating user");
	struct user user = {.tailnet = asker_of(x)->tailnet.id};
	struct diag why = {0};
	struct tx *tx;
	enum err e;

	if (!fields_read(x,
			 (struct field[]){{"name", FIELD_TEXT, &user.name},
					  {"displayName", FIELD_TEXT, &user.display_name},
					  {"email", FIELD_TEXT, &user.email},
					  {"pictureUrl", FIELD_TEXT, &user.picture_url},
					  {0}},
			 t->detail))
		return;
	tx = tx_begin(c->pg, user.tailnet, TX_WRITE);
	e = act_user_create(tx, &asker_of(x)->actor, &user, &t->row, &why);
	if (e) {
		tx_abandon(tx);
		problem_reply_err(x, e, t->detail, &why);
		return;
	}
	act_commit(c, tx, on_written, t);
}

void v1_user_delete(struct exchange *x)
{
	struct coordinator *c = x->program;
	struct user_task *t = task_new(x, "deleting user");
	struct tx *tx;

	if (!fields_path_id(x, 0, &t->id, t->detail))
		return;
	tx = tx_begin(c->pg, asker_of(x)->tailnet.id, TX_WRITE);
	act_user_delete(tx, &asker_of(x)->actor, t->id);
	done_commit(x, tx, t->detail);
}

void v1_user_rename(struct exchange *x)
{
	struct coordinator *c = x->program;
	struct user_task *t = task_new(x, "renaming user");
	struct diag why = {0};
	struct tx *tx;
	enum err e;

	if (!fields_path_id(x, 0, &t->id, t->detail))
		return;
	tx = tx_begin(c->pg, asker_of(x)->tailnet.id, TX_WRITE);
	e = act_user_rename(tx, &asker_of(x)->actor, t->id, x->params[1], &t->row, &why);
	if (e) {
		tx_abandon(tx);
		problem_reply_err(x, e, t->detail, &why);
		return;
	}
	act_commit(c, tx, on_written, t);
}
