#include "v1_auth.h"

#include "act_login.h"
#include "act_sshcheck.h"
#include "fields.h"
#include "guard.h"
#include "problem.h"
#include "users.h"
#include "v1_node.h"
#include "v1_nodejson.h"

enum { NAME_MAX_BYTES = 255 };

struct auth_task {
	struct exchange *x;
	const char *detail;
	struct login_id id;
	const struct node *made_up;
	unsigned users;
	bool approves;
};

static struct auth_task *task_new(struct exchange *x, const char *detail)
{
	struct auth_task *t = ARENA_NEW(x->arena, struct auth_task);

	t->x = x;
	t->detail = detail;
	return t;
}

static bool task_take_id(struct auth_task *t, struct bytes text, const char *location)
{
	if (!login_id_parse(text, &t->id))
		return true;
	problem_reply(t->x, 400, t->detail, "an auth id is hskey-authreq- and 24 hex digits", location);
	return false;
}

static void task_refuse(struct auth_task *t, enum err e, const struct diag *why)
{
	if (e == ERR_CONFLICT)
		problem_reply(t->x, 409, t->detail, why->text, NULL);
	else
		problem_reply_err(t->x, e, t->detail, why);
}

static void on_node(void *context, enum err e, const struct node *node, const struct diag *why)
{
	struct auth_task *t = context;

	if (e || !node)
		task_refuse(t, e ? e : ERR_BUG, why);
	else
		v1_node_show(t->x, node->id, t->detail);
}

static void on_done(void *context, enum err e, const struct node *node, const struct diag *why)
{
	struct auth_task *t = context;

	(void)node;
	if (e)
		task_refuse(t, e, why);
	else
		admin_reply(t->x, BYTES("{}"));
}

static void task_register(struct auth_task *t, struct bytes user)
{
	if (user.len)
		act_login_register(t->x->program, &asker_of(t->x)->actor, &t->id, user, on_node, t);
	else
		problem_reply(t->x, 400, t->detail, "say whose the machine becomes: a user name", NULL);
}

void v1_auth_register(struct exchange *x)
{
	struct auth_task *t = task_new(x, "registering node");
	struct bytes user = {0}, id = {0};

	if (fields_read(x, (struct field[]){{"user", FIELD_TEXT, &user}, {"authId", FIELD_TEXT, &id}, {0}}, t->detail) && task_take_id(t, id, "body.authId"))
		task_register(t, user);
}

void v1_node_register(struct exchange *x)
{
	struct auth_task *t = task_new(x, "registering node");

	if (task_take_id(t, exchange_query(x, "key"), "query.key"))
		task_register(t, exchange_query(x, "user"));
}

/* A check of an SSH rule, or, when there is none of that id, a login. */
static void on_check(void *context, enum err e, const struct diag *why)
{
	struct auth_task *t = context;
	struct coordinator *c = t->x->program;

	if (e == ERR_NOT_FOUND && t->approves)
		act_login_register(c, &asker_of(t->x)->actor, &t->id, BYTES_NONE, on_done, t);
	else if (e == ERR_NOT_FOUND)
		act_login_reject(c, &asker_of(t->x)->actor, &t->id, on_done, t);
	else
		on_done(t, e, NULL, why);
}

static void task_answer(struct exchange *x, const char *detail, bool approves)
{
	struct auth_task *t = task_new(x, detail);
	struct bytes id = {0};

	t->approves = approves;
	if (fields_read(x, (struct field[]){{"authId", FIELD_TEXT, &id}, {0}}, t->detail) && task_take_id(t, id, "body.authId"))
		act_sshcheck_answer(x->program, &asker_of(x)->actor, &t->id, approves, on_check, t);
}

void v1_auth_approve(struct exchange *x)
{
	task_answer(x, "approving login", true);
}

void v1_auth_reject(struct exchange *x)
{
	task_answer(x, "rejecting login", false);
}

/* --- made up ----------------------------------------------------------------------------------------------------------------------------------------- */

static void on_owner(void *context, enum err e, struct tx *tx, const struct diag *why)
{
	struct auth_task *t = context;
	struct v1_roll roll = {0};
	struct answer answer;

	if (e) {
		problem_reply_err(t->x, e, t->detail, why);
		return;
	}
	roll.user_count = users_read(tx, t->users, t->x->arena, &roll.users);
	answer_start(&answer);
	v1_node_write(&answer.w, "node", t->made_up, &roll, false, V1_NODE_ALONE);
	answer_send(&answer, t->x, t->detail);
}

static void on_made_up(void *context, enum err e, const struct node *node, const struct diag *why)
{
	struct auth_task *t = context;
	struct coordinator *c = t->x->program;
	struct node *kept;
	struct tx *tx;

	if (e || !node) {
		task_refuse(t, e ? e : ERR_BUG, why);
		return;
	}
	kept = ARENA_NEW(t->x->arena, struct node);
	node_copy(t->x->arena, node, kept);
	t->made_up = kept;
	tx = tx_begin(c->pg, asker_of(t->x)->tailnet.id, TX_READ);
	t->users = users_get(tx, kept->user);
	tx_run(tx, on_owner, t);
}

static enum err take_routes(struct arena *arena, const struct field_texts *texts, struct prefix **routes, struct diag *why)
{
	*routes = ARENA_ARRAY(arena, struct prefix, texts->count + 1);
	if (texts->count > NODE_ROUTES_MAX)
		return diag_set(why, ERR_MALFORMED, "more than %d routes", NODE_ROUTES_MAX);
	for (size_t i = 0; i < texts->count; i++) {
		if (prefix_parse(texts->list[i], &(*routes)[i]))
			return diag_set(why, ERR_MALFORMED, "\"%.*s\" is not a route", BYTES_ARG(bytes_take(texts->list[i], 100)));
		(*routes)[i] = prefix_masked((*routes)[i]);
	}
	return ERR_NONE;
}

void v1_debug_node(struct exchange *x)
{
	struct auth_task *t = task_new(x, "creating node");
	struct bytes user = {0}, key = {0}, name = {0};
	struct field_texts texts = {0};
	struct prefix *routes;
	struct diag why = {0};
	enum err e;

	if (!fields_read(
		    x,
		    (struct field[]){{"user", FIELD_TEXT, &user}, {"key", FIELD_TEXT, &key}, {"name", FIELD_TEXT, &name}, {"routes", FIELD_TEXTS, &texts}, {0}},
		    t->detail) ||
	    !task_take_id(t, key, "body.key"))
		return;
	e = take_routes(x->arena, &texts, &routes, &why);
	if (!e)
		e = act_check_text(name, "name", NAME_MAX_BYTES, &why);
	if (e)
		problem_reply_err(x, e, t->detail, &why);
	else
		act_login_make_up(x->program, &asker_of(x)->actor, &t->id, user, name, routes, texts.count, on_made_up, t);
}

/* --- addresses --------------------------------------------------------------------------------------------------------------------------------------- */

/* Rows have both addresses from their first moment on (migrations/0005_nodes.sql), so that there is never anything to do; who asks is answered all the same. */
void v1_node_backfill_ips(struct exchange *x)
{
	if (bytes_equal_text(exchange_query(x, "confirmed"), "true"))
		admin_reply(x, BYTES("{\"changes\":[]}"));
	else
		problem_reply(x, 400, "backfilling addresses", "not confirmed", "query.confirmed");
}
