#include "serve_register.h"

#include <assert.h>

#include "act_node.h"
#include "capver.h"
#include "charter.h"
#include "hostname.h"
#include "log.h"
#include "rate.h"
#include "register_answer.h"
#include "serve_login.h"
#include "session.h"

/* Lives in the exchange's arena. */
struct register_task {
	struct exchange *x;
	struct coordinator *c;
	struct register_request request;
	struct secret secret;
	struct join join;
	const struct nodes_known *known;
	struct known facts; /* those of `known`, and what the policy says */
	struct verdict verdict;
	struct prefix *pools;
	size_t pool_count;
	struct user *owner; /* of the node that is answered with; NULL: tagged */
};

static void on_known(void *context, enum err e, const struct nodes_known *known);
static void on_acted(void *context, enum err e, const struct node *node, const struct diag *why);

static void task_log(const struct register_task *t, const char *event, const char *reason, uint64_t tailnet, uint64_t node)
{
	register_log(t->x, &t->request, event, reason, tailnet, node);
}

/* 200 with Error: shown to the client's user word for word, and tried again by the client. */
static void task_refuse(struct register_task *t, const char *reason)
{
	task_log(t, "registration refused", reason, 0, 0);
	register_answer(t->x, &(struct register_response){.error = reason}, RESULT_REFUSED);
}

static void task_fail(struct register_task *t, enum err e)
{
	task_log(t, "registration failed", err_text(e), 0, 0);
	register_fail(t->x);
}

static void task_welcome(struct register_task *t, const struct node *node, enum register_result result)
{
	struct register_response response = register_welcome(node, t->owner);

	register_answer(t->x, &response, result);
}

static void task_expired(struct register_task *t, enum register_result result)
{
	register_answer(t->x, &(struct register_response){.node_key_expired = true}, result);
}

static bool task_decode(struct register_task *t)
{
	struct diag why = {0};
	enum err e = regmsg_decode(t->x->body, t->x->arena, &t->request, &why);

	if (e) {
		log_info(SUBJECT("register"), "malformed request", F_TEXT("reason", why.text), F_UINT("id", t->x->id));
		exchange_reply_error(t->x, e, &why);
		return false;
	}
	if (!capver_accepted(t->request.capver)) {
		exchange_reply_text(t->x, 400, capver_refusal());
		return false;
	}
	return true;
}

static void task_make_join(struct register_task *t)
{
	const struct register_request *r = &t->request;

	t->join = (struct join){
		.machine_key = *t->x->machine,
		.node_key = r->node_key,
		.old_node_key = r->old_node_key,
		.has_credential = r->auth_key.len > 0,
		.expiry = r->expiry,
		.ephemeral = r->ephemeral,
		.request_tags = r->hostinfo.request_tags,
		.request_tag_count = r->hostinfo.request_tag_count,
		.followup = r->followup,
		.tailnet_hint = r->tailnet_hint,
		.capver = r->capver,
	};
	t->join.credential_well_formed = r->auth_key.len && secret_parse(SECRET_AUTH, r->auth_key, &t->secret) == ERR_NONE;
}

void serve_register(struct exchange *x)
{
	struct register_task *t = ARENA_NEW(x->arena, struct register_task);
	char retry[16];
	unsigned retry_s;

	t->x = x;
	t->c = x->program;
	if (!rate_take(t->c->register_rate, bytes_of(x->machine->raw, KEY_LEN), clock_mono(), &retry_s)) {
		snprintf(retry, sizeof retry, "%u", retry_s);
		exchange_add_header(x, "Retry-After", bytes_text(retry));
		exchange_reply_text(x, 429, "this machine registers too often\n");
		return;
	}
	if (!task_decode(t))
		return;
	task_make_join(t);
	nodes_find_for_register(t->c->pg,
				&(struct nodes_question){
					.machine_key = *x->machine,
					.node_key = t->request.node_key,
					.old_node_key = t->request.old_node_key,
					.secret = t->join.credential_well_formed ? &t->secret : NULL,
					.asks_tags = t->join.request_tag_count > 0,
				},
				x->arena, on_known, t);
}

static struct enrollment task_enrollment(struct register_task *t)
{
	const struct register_request *r = &t->request;
	const struct verdict *v = &t->verdict;
	char *label = arena_alloc(t->x->arena, NODE_LABEL_MAX + 1);
	struct enrollment e = {
		.machine_key = *t->x->machine,
		.node_key = r->node_key,
		.lock_key = r->lock_key,
		.hostinfo = r->hostinfo.json,
		.capver = r->capver,
		.routes = r->hostinfo.routes,
		.route_count = r->hostinfo.route_count,
		.expiry = v->expiry,
		.ephemeral = v->ephemeral,
		.approved = v->approved,
		.consume_key = v->consume_key,
		.counted_key = v->authkey->uses_most > 0,
		.register_method = REGISTER_AUTH_KEY,
		.tags = v->tags,
		.tag_count = v->tag_count,
		.authkey = v->authkey->id,
		.user = v->tag_count ? 0 : v->authkey->user,
		.pools = t->pools,
		.pool_count = t->pool_count,
	};

	hostname_label(r->hostinfo.hostname, label);
	e.label = bytes_text(label);
	return e;
}

static struct user *owner_of(const struct nodes_known *k, const struct node *node)
{
	if (node && node == k->by_node_key.node)
		return k->by_node_key.user;
	if (node && node == k->by_old_key.node)
		return k->by_old_key.user;
	return node && node == k->by_owner.node ? k->by_owner.user : NULL;
}

static void task_act(struct register_task *t)
{
	const struct verdict *v = &t->verdict;
	struct enrollment enrollment;

	switch (v->kind) {
	case VERDICT_ENROLL:
		enrollment = task_enrollment(t);
		t->owner = v->tag_count ? NULL : t->known->key_user;
		act_node_enroll(t->c, v->authkey->tailnet, &enrollment, on_acted, t);
		return;
	case VERDICT_REKEY:
		enrollment = task_enrollment(t);
		t->owner = v->tag_count ? NULL : t->known->key_user;
		act_node_rekey(t->c, v->node, &enrollment, on_acted, t);
		return;
	case VERDICT_EXPIRE_SOONER:
		t->owner = owner_of(t->known, v->node);
		act_node_set_expiry(t->c, NULL, v->node->tailnet, v->node->id, v->expiry, on_acted, t);
		return;
	case VERDICT_RETAG:
		act_node_retag(t->c, v->node, v->tags, v->tag_count, on_acted, t);
		return;
	case VERDICT_LOGOUT:
		act_node_logout(t->c, v->node, on_acted, t);
		return;
	default:
		task_fail(t, ERR_BUG);
	}
}

/* --- what the policy says ------------------------------------------------------------------------------------------------------------------------------ */

/* Copied: the charter goes. */
static void take_pools(struct register_task *t, const struct charter *charter)
{
	const struct verdict *v = &t->verdict;
	struct node joins = {.user = v->tag_count ? 0 : v->authkey->user, .tags = (struct bytes *)v->tags, .tag_count = v->tag_count};
	const struct prefix *pools;

	t->pool_count = charter_pools(charter, &joins, &pools);
	t->pools = ARENA_ARRAY(t->x->arena, struct prefix, t->pool_count);
	if (t->pool_count)
		memcpy(t->pools, pools, t->pool_count * sizeof *pools);
}

static void on_pools(void *context, enum err e, const struct charter *charter)
{
	struct register_task *t = context;

	if (e) {
		task_fail(t, e);
		return;
	}
	take_pools(t, charter);
	task_act(t);
}

/* A new node's address may come from a pool. Where the policy has none, nobody asks. */
static void task_enroll(struct register_task *t, const struct charter *charter)
{
	uint64_t tailnet = t->verdict.authkey->tailnet;

	if (charter)
		on_pools(t, ERR_NONE, charter);
	else if (charter_lacks_pools(t->c->charters, tailnet, t->known->policy))
		task_act(t);
	else
		charter_ask(t->c, tailnet, t->verdict.tag_count ? 0 : t->verdict.authkey->user, on_pools, t);
}

/* charter: where the policy was asked already; or NULL. */
static void task_decide(struct register_task *t, const struct charter *charter)
{
	t->verdict = admission_decide(&t->join, &t->facts, t->known->lifetime_ms, clock_wall());
	switch (t->verdict.kind) {
	case VERDICT_REFUSE:
		task_refuse(t, t->verdict.reason);
		return;
	case VERDICT_ASK_LOGIN:
		login_serve(t->x, &t->request);
		return;
	case VERDICT_FORBID:
		task_log(t, "registration forbidden", "the node key belongs to another machine", 0, 0);
		metric_add_at(metric_registers, RESULT_REFUSED, 1);
		exchange_reply_text(t->x, 401, "this node key does not belong to this machine\n");
		return;
	case VERDICT_KNOWN:
		t->owner = owner_of(t->known, t->verdict.node);
		task_welcome(t, t->verdict.node, RESULT_KNOWN);
		return;
	case VERDICT_GONE:
		task_expired(t, RESULT_LOGOUT);
		return;
	case VERDICT_NODE_KEY_EXPIRED:
		task_expired(t, RESULT_EXPIRED);
		return;
	case VERDICT_ENROLL:
		task_enroll(t, charter);
		return;
	default:
		task_act(t);
	}
}

static void on_rights(void *context, enum err e, const struct charter *charter)
{
	struct register_task *t = context;
	struct tag_rights rights;

	if (e) {
		task_fail(t, e);
		return;
	}
	rights = charter_rights(charter);
	t->facts.rights = &rights;
	task_decide(t, charter);
}

static void on_known(void *context, enum err e, const struct nodes_known *known)
{
	struct register_task *t = context;
	const struct authkey *key;
	const struct node *node;
	struct bytes *told;

	key_wipe(&t->secret, sizeof t->secret);
	if (e) {
		task_fail(t, e);
		return;
	}
	t->known = known;
	t->facts = known->known;
	key = t->facts.authkey;
	node = t->facts.by_node_key;
	if (node && t->join.request_tag_count) {
		t->facts.told_tag_count = hostinfo_request_tags(node->hostinfo, t->x->arena, &told);
		t->facts.told_tags = told;
	}
	if (!admission_asks_rights(&t->join, &t->facts)) {
		task_decide(t, NULL);
	} else if (key) {
		charter_ask(t->c, key->tailnet, key->tag_count ? 0 : key->user, on_rights, t);
	} else {
		assert(node);
		charter_ask(t->c, node->tailnet, node->user, on_rights, t);
	}
}

static void on_acted(void *context, enum err e, const struct node *node, const struct diag *why)
{
	struct register_task *t = context;
	static const char *const events[] = {[VERDICT_ENROLL] = "node enrolled",
					     [VERDICT_REKEY] = "node took a new key",
					     [VERDICT_EXPIRE_SOONER] = "node expires sooner",
					     [VERDICT_RETAG] = "node took other tags",
					     [VERDICT_LOGOUT] = "node logged out"};
	bool logout = t->verdict.kind == VERDICT_LOGOUT;

	/* A logout of what is gone meanwhile has what it wanted. */
	if (logout && (!e || e == ERR_NOT_FOUND)) {
		task_log(t, events[VERDICT_LOGOUT], "", t->verdict.node->tailnet, t->verdict.node->id);
		task_expired(t, RESULT_LOGOUT);
		return;
	}
	if (e == ERR_EXHAUSTED || e == ERR_EXISTS || e == ERR_NOT_FOUND || e == ERR_CONFLICT || e == ERR_DENIED) {
		task_refuse(t, why->text);
		return;
	}
	if (e || !node) {
		task_fail(t, e ? e : ERR_BUG);
		return;
	}
	task_log(t, events[t->verdict.kind], "", node->tailnet, node->id);
	task_welcome(t, node, t->verdict.kind == VERDICT_ENROLL ? RESULT_ENROLLED : t->verdict.kind == VERDICT_REKEY ? RESULT_REKEYED : RESULT_KNOWN);
}
