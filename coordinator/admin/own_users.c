#include "own_users.h"

#include "act_user.h"
#include "fields.h"
#include "guard.h"
#include "page.h"
#include "problem.h"

struct users_task {
	struct exchange *x;
	const char *detail;
	struct page page;
	unsigned row;
};

static void user_write(struct jsonw *w, const char *name, const struct user *user)
{
	jsonw_object(w, name);
	jsonw_uint_text(w, "id", user->id);
	jsonw_text(w, "name", user->name);
	jsonw_text(w, "displayName", user->display_name);
	jsonw_text(w, "email", user->email);
	jsonw_string(w, "role", user_role_name(user->roles));
	jsonw_array(w, "groups");
	for (size_t i = 0; i < user->group_count; i++)
		jsonw_text(w, NULL, user->groups[i]);
	jsonw_array_end(w);
	jsonw_time(w, "createdAt", user->created);
	jsonw_object_end(w);
}

static struct users_task *task_new(struct exchange *x, const char *detail)
{
	struct users_task *t = ARENA_NEW(x->arena, struct users_task);

	*t = (struct users_task){.x = x, .detail = detail};
	return t;
}

static void on_listed(void *context, enum err e, struct tx *tx, const struct diag *why)
{
	struct users_task *t = context;
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
	for (size_t i = 0; page_shows(&t->page, &answer.w, i, count); i++)
		user_write(&answer.w, NULL, &users[i]);
	jsonw_array_end(&answer.w);
	page_write_next(&answer.w, t->x, &t->page, t->page.shown ? users[t->page.shown - 1].id : 0);
	answer_send(&answer, t->x, t->detail);
}

void own_users_list(struct exchange *x)
{
	struct coordinator *c = x->program;
	struct users_task *t = task_new(x, "listing users");
	struct tx *tx;

	if (!page_read(x, &t->page, t->detail))
		return;
	tx = tx_begin(c->pg, asker_of(x)->tailnet.id, TX_READ);
	t->row = users_page(tx, t->page.after, page_want(&t->page));
	tx_run(tx, on_listed, t);
}

static void on_updated(void *context, enum err e, struct tx *tx, const struct diag *why)
{
	struct users_task *t = context;
	struct answer answer;
	struct user *users;

	if (!e && !users_read(tx, t->row, t->x->arena, &users))
		e = ERR_NOT_FOUND;
	if (e) {
		problem_reply_err(t->x, e, t->detail, why);
		return;
	}
	answer_start(&answer);
	user_write(&answer.w, "user", &users[0]);
	answer_send(&answer, t->x, t->detail);
}

void own_users_update(struct exchange *x)
{
	struct coordinator *c = x->program;
	struct users_task *t = task_new(x, "changing a user");
	struct bytes role = BYTES_NONE;
	struct field_texts groups = {0};
	struct user_place place = {0};
	struct diag why = {0};
	struct tx *tx;
	enum err e;
	uint64_t id;

	if (!fields_path_id(x, 0, &id, t->detail) ||
	    !fields_read(x, (struct field[]){{"role", FIELD_TEXT, &role}, {"groups", FIELD_TEXTS, &groups}, {0}}, t->detail))
		return;
	place = (struct user_place){role, groups.present, groups.list, groups.count};
	tx = tx_begin(c->pg, asker_of(x)->tailnet.id, TX_WRITE);
	e = act_user_place(tx, &asker_of(x)->actor, id, &place, &t->row, &why);
	if (e) {
		tx_abandon(tx);
		problem_reply_err(x, e, t->detail, &why);
		return;
	}
	act_commit(c, tx, on_updated, t);
}
