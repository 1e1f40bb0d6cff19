#include "authkeys.h"
#include "etag.h"
#include "fields.h"
#include "guard.h"
#include "hostinfo.h"
#include "nodes.h"
#include "online.h"
#include "own.h"
#include "page.h"
#include "users.h"
#include "v1_nodejson.h"
#include "warnings.h"

struct nodes_task {
	struct exchange *x;
	const char *detail;
	bool one; /* not a page */
	uint64_t id;
	struct page page;
	unsigned nodes, users, keys, warnings; /* statements */
	struct v1_roll roll;
	struct warning *told;
	size_t told_count;
};

static void write_health(struct jsonw *w, const struct nodes_task *t, uint64_t node)
{
	jsonw_array(w, "health");
	for (size_t i = 0; i < t->told_count; i++) {
		if (t->told[i].node != node)
			continue;
		jsonw_object(w, NULL);
		jsonw_text(w, "subsystem", t->told[i].subsystem);
		jsonw_text(w, "message", t->told[i].message);
		jsonw_time(w, "since", t->told[i].since);
		jsonw_object_end(w);
	}
	jsonw_array_end(w);
}

static void write_endpoints(struct jsonw *w, const struct node *node)
{
	char text[ENDPOINT_TEXT_MAX];

	jsonw_array(w, "endpoints");
	for (size_t i = 0; i < node->endpoint_count; i++) {
		endpoint_format(text, node->endpoints[i]);
		jsonw_string(w, NULL, text);
	}
	jsonw_array_end(w);
}

static void write_primary(struct jsonw *w, const struct node *node)
{
	jsonw_array(w, "primaryRoutes");
	for (size_t i = 0; i < node->primary_count; i++)
		jsonw_prefix(w, NULL, node->routes_primary[i]);
	jsonw_array_end(w);
}

static void node_write(struct jsonw *w, const char *name, const struct nodes_task *t, const struct node *node)
{
	struct coordinator *c = t->x->program;
	struct arena *arena = t->x->arena;

	jsonw_object(w, name);
	v1_node_write_members(w, node, &t->roll, presence_online(c->view, node->tailnet, node->id), V1_NODE_ALONE);
	jsonw_bool(w, "approved", node->approved);
	jsonw_bool(w, "ephemeral", node->ephemeral);
	jsonw_bool(w, "expired", node_is_expired(node, clock_wall()));
	jsonw_text(w, "os", hostinfo_text(node->hostinfo, "OS", arena));
	jsonw_text(w, "clientVersion", hostinfo_text(node->hostinfo, "IPNVersion", arena));
	jsonw_uint(w, "capabilityVersion", node->capver);
	write_primary(w, node);
	jsonw_uint(w, "homeRegion", node->home_relay);
	write_endpoints(w, node);
	write_health(w, t, node->id);
	jsonw_object_end(w);
}

static void answer_page(struct nodes_task *t)
{
	struct answer answer;

	answer_start(&answer);
	jsonw_array(&answer.w, "nodes");
	for (size_t i = 0; page_shows(&t->page, &answer.w, i, t->roll.node_count); i++)
		node_write(&answer.w, NULL, t, &t->roll.nodes[i]);
	jsonw_array_end(&answer.w);
	page_write_next(&answer.w, t->x, &t->page, t->page.shown ? t->roll.nodes[t->page.shown - 1].id : 0);
	answer_send(&answer, t->x, t->detail);
}

static void on_read(void *context, enum err e, struct tx *tx, const struct diag *why)
{
	struct nodes_task *t = context;
	struct arena *arena = t->x->arena;
	struct answer answer;

	if (e) {
		problem_reply_err(t->x, e, t->detail, why);
		return;
	}
	t->roll.node_count = nodes_read(tx, t->nodes, arena, &t->roll.nodes);
	t->roll.user_count = users_read(tx, t->users, arena, &t->roll.users);
	t->roll.key_count = authkeys_read(tx, t->keys, arena, &t->roll.keys);
	t->told_count = warnings_read(tx, t->warnings, arena, &t->told);
	if (!t->one) {
		answer_page(t);
	} else if (!t->roll.node_count) {
		problem_reply(t->x, 404, t->detail, "node not found", NULL);
	} else {
		answer_start(&answer);
		node_write(&answer.w, "node", t, &t->roll.nodes[0]);
		etag_send(&answer, t->x, t->detail);
	}
}

static void on_presence_known(void *context, enum err e)
{
	struct nodes_task *t = context;
	struct coordinator *c = t->x->program;
	struct tx *tx;

	if (e) {
		problem_reply_err(t->x, e, t->detail, NULL);
		return;
	}
	tx = tx_begin(c->pg, asker_of(t->x)->tailnet.id, TX_READ);
	t->nodes = t->one ? nodes_get(tx, t->id) : nodes_page(tx, t->page.after, page_want(&t->page));
	t->users = users_list(tx);
	t->keys = authkeys_list(tx);
	t->warnings = warnings_list(tx, t->one ? t->id : 0);
	tx_run(tx, on_read, t);
}

static struct nodes_task *task_new(struct exchange *x, const char *detail)
{
	struct nodes_task *t = ARENA_NEW(x->arena, struct nodes_task);

	t->x = x;
	t->detail = detail;
	return t;
}

static void task_show(struct nodes_task *t)
{
	struct coordinator *c = t->x->program;

	online_follow(c->online, asker_of(t->x)->tailnet.id, on_presence_known, t);
}

void own_nodes_list(struct exchange *x)
{
	struct nodes_task *t = task_new(x, "listing nodes");

	if (page_read(x, &t->page, t->detail))
		task_show(t);
}

void own_nodes_get(struct exchange *x)
{
	struct nodes_task *t = task_new(x, "getting node");

	t->one = true;
	if (fields_path_id(x, 0, &t->id, t->detail))
		task_show(t);
}
