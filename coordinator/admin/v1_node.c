#include "v1_node.h"

#include <stdlib.h>

#include "act_authkey.h"
#include "act_node.h"
#include "charter.h"
#include "fields.h"
#include "guard.h"
#include "hostname.h"
#include "online.h"
#include "problem.h"
#include "route.h"
#include "users.h"
#include "v1_nodejson.h"

struct node_task {
	struct exchange *x;
	struct coordinator *c;
	const char *detail;
	bool lists;
	uint64_t id; /* of the one node */
	struct field_texts tags;
	struct bytes user;           /* list: only of this user; empty: all */
	unsigned nodes, users, keys; /* statements */
	enum v1_node_form form;
};

static void task_read(struct node_task *t);

static struct node_task *task_new(struct exchange *x, const char *detail)
{
	struct node_task *t = ARENA_NEW(x->arena, struct node_task);

	t->x = x;
	t->c = x->program;
	t->detail = detail;
	return t;
}

static bool task_online(const struct node_task *t, const struct node *node)
{
	return presence_online(t->c->view, node->tailnet, node->id);
}

static void task_write_list(struct node_task *t, const struct v1_roll *roll)
{
	struct answer answer;
	uint64_t user = 0;

	for (size_t i = 0; t->user.len && i < roll->user_count; i++)
		if (bytes_equal(roll->users[i].name, t->user))
			user = roll->users[i].id;
	if (t->user.len && !user) {
		problem_reply(t->x, 404, t->detail, "user not found", NULL);
		return;
	}
	answer_start(&answer);
	jsonw_array(&answer.w, "nodes");
	for (size_t i = 0; i < roll->node_count; i++)
		if (!user || (!node_is_tagged(&roll->nodes[i]) && roll->nodes[i].user == user))
			v1_node_write(&answer.w, NULL, &roll->nodes[i], roll, task_online(t, &roll->nodes[i]), V1_NODE_LISTED);
	jsonw_array_end(&answer.w);
	answer_send(&answer, t->x, t->detail);
}

static void on_read(void *context, enum err e, struct tx *tx, const struct diag *why)
{
	struct node_task *t = context;
	struct v1_roll roll;
	struct answer answer;

	if (e) {
		problem_reply_err(t->x, e, t->detail, why);
		return;
	}
	roll.node_count = nodes_read(tx, t->nodes, t->x->arena, &roll.nodes);
	roll.user_count = users_read(tx, t->users, t->x->arena, &roll.users);
	roll.key_count = authkeys_read(tx, t->keys, t->x->arena, &roll.keys);
	if (t->lists) {
		task_write_list(t, &roll);
		return;
	}
	if (!roll.node_count) {
		problem_reply(t->x, 404, t->detail, "node not found", NULL);
		return;
	}
	answer_start(&answer);
	v1_node_write(&answer.w, "node", &roll.nodes[0], &roll, task_online(t, &roll.nodes[0]), t->form);
	answer_send(&answer, t->x, t->detail);
}

static void on_presence_known(void *context, enum err e)
{
	struct node_task *t = context;

	if (e)
		problem_reply_err(t->x, e, t->detail, NULL);
	else
		task_read(t);
}

static void task_read(struct node_task *t)
{
	struct tx *tx = tx_begin(t->c->pg, asker_of(t->x)->tailnet.id, TX_READ);

	t->nodes = t->lists ? nodes_list(tx, 0) : nodes_get(tx, t->id);
	t->users = users_list(tx);
	t->keys = authkeys_list(tx);
	tx_run(tx, on_read, t);
}

/* The first look at a tailnet through this worker waits until presence is known; later ones follow it already. */
static void task_show(struct node_task *t)
{
	online_follow(t->c->online, asker_of(t->x)->tailnet.id, on_presence_known, t);
}

void v1_node_show(struct exchange *x, uint64_t id, const char *detail)
{
	struct node_task *t = task_new(x, detail);

	t->id = id;
	task_show(t);
}

void v1_node_list(struct exchange *x)
{
	struct node_task *t = task_new(x, "listing nodes");

	t->lists = true;
	t->user = exchange_query(x, "user");
	task_show(t);
}

void v1_node_get(struct exchange *x)
{
	struct node_task *t = task_new(x, "getting node");

	if (fields_path_id(x, 0, &t->id, t->detail))
		task_show(t);
}

/* A write shows the node as it stands afterwards. A name that is taken is 400 here, as headscale has it. */
static void on_acted(void *context, enum err e, const struct node *node, const struct diag *why)
{
	struct node_task *t = context;

	(void)node;
	if (e == ERR_EXISTS)
		problem_reply(t->x, 400, t->detail, why->text, NULL);
	else if (e)
		problem_reply_err(t->x, e, t->detail, why);
	else
		task_show(t);
}

static void on_deleted(void *context, enum err e, const struct node *node, const struct diag *why)
{
	struct node_task *t = context;

	(void)node;
	if (e)
		problem_reply_err(t->x, e, t->detail, why);
	else
		admin_reply(t->x, BYTES("{}"));
}

void v1_node_delete(struct exchange *x)
{
	struct node_task *t = task_new(x, "deleting node");

	if (fields_path_id(x, 0, &t->id, t->detail))
		act_node_delete(t->c, &asker_of(x)->actor, asker_of(x)->tailnet.id, t->id, on_deleted, t);
}

void v1_node_expire(struct exchange *x)
{
	struct node_task *t = task_new(x, "expiring node");
	struct wall expiry;
	bool never = false;

	if (!fields_path_id(x, 0, &t->id, t->detail))
		return;
	expiry = WALL_ZERO;
	if (!fields_read(x, (struct field[]){{"expiry", FIELD_TIME, &expiry}, {"disableExpiry", FIELD_BOOL, &never}, {0}}, t->detail))
		return;
	if (never && !wall_is_zero(expiry)) {
		problem_reply(x, 400, t->detail, "expiry and disableExpiry contradict each other", "body");
		return;
	}
	if (!never && wall_is_zero(expiry))
		expiry = clock_wall();
	act_node_set_expiry(t->c, &asker_of(x)->actor, asker_of(x)->tailnet.id, t->id, expiry, on_acted, t);
}

void v1_node_rename(struct exchange *x)
{
	struct node_task *t = task_new(x, "renaming node");
	struct diag why = {0};
	enum err e;

	if (!fields_path_id(x, 0, &t->id, t->detail))
		return;
	e = hostname_check(x->params[1], &why);
	if (e)
		problem_reply_err(x, e, t->detail, &why);
	else
		act_node_rename(t->c, &asker_of(x)->actor, asker_of(x)->tailnet.id, t->id, x->params[1], on_acted, t);
}

static void on_charter(void *context, enum err e, const struct charter *charter)
{
	struct node_task *t = context;
	const struct asker *asker = asker_of(t->x);
	struct diag why = {0};

	if (!e)
		e = charter_check_tags(charter, t->tags.list, t->tags.count, &why);
	if (e)
		problem_reply_err(t->x, e, t->detail, &why);
	else
		act_node_tag(t->c, &asker->actor, asker->tailnet.id, t->id, t->tags.list, t->tags.count, on_acted, t);
}

void v1_node_tags(struct exchange *x)
{
	struct node_task *t = task_new(x, "setting tags");
	struct diag why = {0};
	enum err e;

	if (!fields_path_id(x, 0, &t->id, t->detail) || !fields_read(x, (struct field[]){{"tags", FIELD_TEXTS, &t->tags}, {0}}, t->detail))
		return;
	e = act_tags_check(t->tags.list, &t->tags.count, &why);
	if (!e && !t->tags.count)
		e = diag_set(&why, ERR_MALFORMED, "a node cannot lose all its tags: it has no user to go back to");
	if (e)
		problem_reply_err(x, e, t->detail, &why);
	else
		charter_ask(t->c, asker_of(x)->tailnet.id, 0, on_charter, t);
}

static bool has_route(const struct prefix *routes, size_t count, struct prefix route)
{
	for (size_t i = 0; i < count; i++)
		if (prefix_compare(routes[i], route) == 0)
			return true;
	return false;
}

static int compare_routes(const void *a, const void *b)
{
	return prefix_compare(*(const struct prefix *)a, *(const struct prefix *)b);
}

/* Either default route brings the other family along: a client offers an exit node only with both. */
static enum err parse_routes(struct arena *arena, const struct field_texts *texts, struct prefix **routes, size_t *count, struct diag *why)
{
	bool has_exit = false;

	*routes = ARENA_ARRAY(arena, struct prefix, texts->count + 2);
	*count = 0;
	for (size_t i = 0; i < texts->count; i++) {
		struct prefix prefix;

		if (prefix_parse(texts->list[i], &prefix))
			return diag_set(why, ERR_MALFORMED, "\"%.*s\" is not a route", BYTES_ARG(bytes_take(texts->list[i], 100)));
		has_exit |= route_is_exit(prefix);
		if (!route_is_exit(prefix) && !has_route(*routes, *count, prefix_masked(prefix)))
			(*routes)[(*count)++] = prefix_masked(prefix);
	}
	if (has_exit && (prefix_parse(BYTES("0.0.0.0/0"), &(*routes)[*count]) || prefix_parse(BYTES("::/0"), &(*routes)[*count + 1])))
		return ERR_BUG;
	*count += has_exit ? 2 : 0;
	if (*count)
		qsort(*routes, *count, sizeof **routes, compare_routes);
	return ERR_NONE;
}

void v1_node_approve_routes(struct exchange *x)
{
	struct node_task *t = task_new(x, "approving routes");
	struct field_texts texts = {0};
	struct prefix *routes = NULL;
	struct diag why = {0};
	size_t count = 0;
	enum err e;

	t->form = V1_NODE_APPROVED;
	if (!fields_path_id(x, 0, &t->id, t->detail) || !fields_read(x, (struct field[]){{"routes", FIELD_TEXTS, &texts}, {0}}, t->detail))
		return;
	e = texts.count > NODE_ROUTES_MAX ? diag_set(&why, ERR_MALFORMED, "more than %d routes", NODE_ROUTES_MAX)
					  : parse_routes(x->arena, &texts, &routes, &count, &why);
	if (e)
		problem_reply_err(x, e, t->detail, &why);
	else
		act_node_approve_routes(t->c, &asker_of(x)->actor, asker_of(x)->tailnet.id, t->id, routes, count, on_acted, t);
}
