#include "act_login.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "charter.h"
#include "held.h"
#include "hostinfo.h"
#include "hostname.h"
#include "log.h"
#include "logins.h"
#include "tailnets.h"
#include "text.h"
#include "users.h"

/* Owns an arena, in which everything read lives; the actor lives as long as the exchange, hence as this. */
struct login_act {
	struct coordinator *c;
	const struct actor *actor;
	struct arena *arena;
	struct login_id id;
	struct bytes user_name;
	struct login *login;
	struct tailnet *tailnet;
	struct login_answer answer;
	struct diag refusal;                  /* of a login that is refused for what it asks */
	unsigned tailnets, users, nodes, row; /* statements */
	bool registers, has_row;
	act_node_fn on_done;
	void *context;
};

static struct login_act *login_act_new(struct coordinator *c, const struct actor *actor, const struct login_id *id, act_node_fn on_done, void *context)
{
	struct login_act *a = x_zalloc(sizeof *a);

	*a = (struct login_act){.c = c, .actor = actor, .arena = arena_new(), .id = *id, .on_done = on_done, .context = context};
	return a;
}

static void login_act_end(struct login_act *a, enum err e, const struct node *node, const struct diag *why)
{
	a->on_done(a->context, e, node, why);
	arena_free(&a->arena);
	free(a);
}

PRINTF(3, 4) static void login_act_refuse(struct login_act *a, enum err e, const char *format, ...)
{
	struct diag why = {0};
	char text[DIAG_TEXT_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	diag_set(&why, e, "%s", text);
	login_act_end(a, e, NULL, &why);
}

static void on_answered(void *context, enum err e, struct tx *tx, const struct diag *why)
{
	struct login_act *a = context;
	struct node *nodes = NULL;
	size_t count = e || !a->has_row ? 0 : nodes_read(tx, a->row, a->arena, &nodes);

	if (!e) {
		held_ring(a->c, a->id.hash);
		log_info(((struct subject){.kind = "login", .tailnet = a->actor->tailnet, .node = count ? nodes[0].id : 0, .id = a->actor->request}),
			 a->registers ? "login answered" : "login rejected", F_TEXT("actor", a->actor->name));
	}
	login_act_end(a, e, count ? &nodes[0] : NULL, why);
}

static void audit_begin(struct login_act *a, struct tx *tx, const char *action)
{
	char hex[2 * LOGIN_HASH_LEN + 1];

	hex_encode(hex, bytes_of(a->id.hash, LOGIN_HASH_LEN));
	act_audit_named(tx, a->actor, action, arena_copy(tx_arena(tx), bytes_text(hex)));
}

static struct tx *answer_begin(struct login_act *a, const char *action)
{
	struct tx *tx = tx_begin(a->c->pg, a->actor->tailnet, TX_WRITE);

	audit_begin(a, tx, action);
	return tx;
}

static void answer_with(struct login_act *a, const struct verdict *v, uint64_t user, const struct charter *charter)
{
	const struct login *l = a->login;
	const struct node *node = v->node;
	struct enrollment e = {
		.user = v->tag_count ? 0
			: user       ? user
				     : node->user,
		.tags = v->tags,
		.tag_count = v->tag_count,
		.machine_key = l->machine_key,
		.node_key = l->node_key,
		.lock_key = l->lock_key,
		.label = l->label,
		.hostinfo = l->hostinfo,
		.capver = l->capver,
		.routes = l->routes,
		.route_count = l->route_count,
		.expiry = v->expiry,
		.ephemeral = v->ephemeral,
		.approved = v->approved,
		.register_method = REGISTER_CLI,
	};
	struct tx *tx = answer_begin(a, user ? "login.register" : "login.approve");

	if (node) {
		act_audit(tx, a->actor, "node.renew", node->id, NULL);
		logins_take(tx, a->id.hash, node->id);
		nodes_rekey(tx, node->id, &node->node_key, &e);
		if (v->approved && !node->approved)
			nodes_approve(tx, node->id, true);
		a->row = nodes_get(tx, node->id);
	} else {
		struct node joins = {.user = e.user, .tags = (struct bytes *)e.tags, .tag_count = e.tag_count};

		e.pool_count = charter_pools(charter, &joins, &e.pools);
		a->row = logins_enroll(tx, a->id.hash, &e);
	}
	a->has_row = true;
	act_commit(a->c, tx, on_answered, a);
}

/* Nothing can mend it: the client reads why, as whoever answered does. */
static void on_refused(void *context, enum err e, struct tx *tx, const struct diag *why)
{
	struct login_act *a = context;

	(void)tx;
	if (!e)
		held_ring(a->c, a->id.hash);
	login_act_end(a, e ? e : ERR_MALFORMED, NULL, e ? why : &a->refusal);
}

static void refuse_both(struct login_act *a, const struct verdict *v)
{
	struct tx *tx = answer_begin(a, "login.reject");

	(void)diag_set(&a->refusal, ERR_MALFORMED, "%s", v->reason);
	logins_refuse(tx, a->id.hash, bytes_text(a->refusal.text));
	act_commit(a->c, tx, on_refused, a);
}

/* What else admission refuses here is either the tailnet's state or a machine that has no node yet. */
static void refuse_by_verdict(struct login_act *a, const struct verdict *v)
{
	if (v->told)
		refuse_both(a, v);
	else if (a->tailnet->frozen || a->tailnet->suspended)
		login_act_refuse(a, ERR_DENIED, "%s", v->reason);
	else
		login_act_refuse(a, a->user_name.len ? ERR_NOT_FOUND : ERR_MALFORMED, "%s", v->reason);
}

static void on_charter(void *context, enum err e, const struct charter *charter)
{
	struct login_act *a = context;
	struct tag_rights rights;
	struct verdict v;

	if (e) {
		login_act_end(a, e, NULL, NULL);
		return;
	}
	rights = charter_rights(charter);
	a->answer.rights = &rights;
	v = admission_finish_login(a->login, &a->answer, clock_wall());
	if (v.kind == VERDICT_REFUSE)
		refuse_by_verdict(a, &v);
	else
		answer_with(a, &v, a->answer.user, charter);
}

static void on_tailnet_read(void *context, enum err e, struct tx *tx, const struct diag *why)
{
	struct login_act *a = context;
	struct user *users;
	struct node *nodes;
	struct bytes *tags;
	size_t user_count;

	if (e) {
		login_act_end(a, e, NULL, why);
		return;
	}
	if (!tailnets_read(tx, a->tailnets, a->arena, &a->tailnet)) {
		login_act_refuse(a, ERR_NOT_FOUND, "no such tailnet");
		return;
	}
	user_count = a->user_name.len ? users_read(tx, a->users, a->arena, &users) : 0;
	if (a->user_name.len && !user_count) {
		login_act_refuse(a, ERR_NOT_FOUND, "user not found");
		return;
	}
	a->answer = (struct login_answer){.tailnet = a->tailnet, .user = user_count ? users[0].id : 0};
	a->answer.node_count = nodes_read(tx, a->nodes, a->arena, &nodes);
	a->answer.nodes = nodes;
	a->answer.request_tag_count = hostinfo_request_tags(a->login->hostinfo, a->arena, &tags);
	a->answer.request_tags = tags;
	charter_ask(a->c, a->actor->tailnet, admission_login_user(a->login, &a->answer), on_charter, a);
}

/* Also the answered login of another tailnet is unknown here. */
static bool may_answer(struct login_act *a, const struct logins_found *found)
{
	const struct login *login = found->login;
	bool foreign = login && login->tailnet && login->tailnet != a->actor->tailnet;

	if (!login || foreign || (!login_answered(login) && found->left_ms <= 0)) {
		login_act_refuse(a, ERR_NOT_FOUND, "no such pending login: unknown, or it has ended");
		return false;
	}
	if (login_answered(login)) {
		login_act_refuse(a, ERR_CONFLICT, "the login was answered already");
		return false;
	}
	a->login = found->login;
	return true;
}

static void on_login_found(void *context, enum err e, const struct logins_found *found)
{
	struct login_act *a = context;
	struct tx *tx;

	if (e) {
		login_act_end(a, e, NULL, NULL);
		return;
	}
	if (!may_answer(a, found))
		return;
	if (!a->registers) {
		tx = answer_begin(a, "login.reject");
		logins_refuse(tx, a->id.hash, BYTES("an administrator rejected this login"));
		act_commit(a->c, tx, on_answered, a);
		return;
	}
	tx = tx_begin(a->c->pg, a->actor->tailnet, TX_READ);
	a->tailnets = tailnets_get(tx);
	if (a->user_name.len)
		a->users = users_find(tx, a->user_name);
	a->nodes = nodes_of_machine(tx, &a->login->machine_key);
	tx_run(tx, on_tailnet_read, a);
}

void act_login_register(struct coordinator *c, const struct actor *actor, const struct login_id *id, struct bytes user, act_node_fn on_done, void *context)
{
	struct login_act *a = login_act_new(c, actor, id, on_done, context);

	a->registers = true;
	a->user_name = arena_copy(a->arena, user);
	logins_find(c->pg, id->hash, a->arena, on_login_found, a);
}

void act_login_reject(struct coordinator *c, const struct actor *actor, const struct login_id *id, act_node_fn on_done, void *context)
{
	struct login_act *a = login_act_new(c, actor, id, on_done, context);

	logins_find(c->pg, id->hash, a->arena, on_login_found, a);
}

/* --- made up ---------------------------------------------------------------------------------------------------------------------------------------- */

static void on_made_up(void *context, enum err e, struct tx *tx, const struct diag *why)
{
	struct login_act *a = context;
	struct node node = {
		.tailnet = a->actor->tailnet,
		.machine_key = a->login->machine_key,
		.node_key = a->login->node_key,
		.label = a->login->label,
		.hostinfo = a->login->hostinfo,
		.routes_advertised = a->login->routes,
		.advertised_count = a->login->route_count,
		.expiry = WALL_ZERO,
		.last_seen = WALL_ZERO,
		.created = clock_wall(),
		.first_polled = WALL_ZERO,
		.register_method = REGISTER_CLI,
	};
	struct user *users;

	if (!e && users_read(tx, a->users, a->arena, &users))
		node.user = users[0].id;
	login_act_end(a, e, e ? NULL : &node, why);
}

void act_login_make_up(struct coordinator *c, const struct actor *actor, const struct login_id *id, struct bytes user, struct bytes name,
		       const struct prefix *routes, size_t count, act_node_fn on_done, void *context)
{
	struct login_act *a = login_act_new(c, actor, id, on_done, context);
	char *label = arena_alloc(a->arena, NODE_LABEL_MAX + 1);
	struct tx *tx = tx_begin(c->pg, actor->tailnet, TX_WRITE);
	struct private_key private;

	hostname_label(name, label);
	a->login = ARENA_NEW(a->arena, struct login);
	a->login->label = bytes_text(label);
	a->login->hostinfo = arena_copy(a->arena, bytes_text(act_detail(tx, "Hostname", name)));
	a->login->routes = ARENA_ARRAY(a->arena, struct prefix, count + 1);
	if (count)
		memcpy(a->login->routes, routes, count * sizeof *routes);
	a->login->route_count = count;
	a->login->wanted_expiry = WALL_ZERO;
	random_fill(a->login->machine_key.raw, KEY_LEN);
	key_mint(&private, (struct public_key *)a->login->node_key.raw);
	key_wipe(&private, sizeof private);
	audit_begin(a, tx, "login.make-up");
	a->users = users_find(tx, user);
	logins_make_up(tx, id, a->login, user, c->options->login_lifetime_ms);
	act_commit(c, tx, on_made_up, a);
}
