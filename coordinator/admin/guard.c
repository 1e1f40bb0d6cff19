#include "guard.h"

#include "apikeys.h"
#include "dispatch.h"
#include "doorstep.h"
#include "log.h"
#include "problem.h"
#include "rate.h"
#include "tailnets.h"

struct guard_task {
	struct exchange *x;
	struct secret secret;
	struct asker *asker;
	bool wants_operator, writes;
	enum scope scope;     /* SCOPE_COUNT: any */
	uint64_t key_tailnet; /* of a tailnet's key; 0: the operator */
	unsigned found;       /* statement */
};

static void on_key(void *context, enum err e, const struct apikey *key);
static void on_tailnet(void *context, enum err e, struct tx *tx, const struct diag *why);

/* Missing, malformed, unknown, revoked and expired look the same to who asks; the log tells them apart. */
static void refuse(struct guard_task *t, const char *reason)
{
	char peer[ENDPOINT_TEXT_MAX];

	endpoint_format(peer, t->x->peer);
	log_info(SUBJECT("admin"), "request refused", F_TEXT("reason", reason), F_TEXT("peer", peer), F_BYTES("path", admin_path_shown(t->x)),
		 F_UINT("id", t->x->id));
	doorstep_refused(t->x);
	problem_reply(t->x, 401, "Unauthorized", "Unauthorized", NULL);
}

bool guard_may(struct exchange *x, enum scope scope, bool writes)
{
	if (scope == SCOPE_COUNT || scopes_allow(asker_of(x)->scopes, scope, writes))
		return true;
	problem_reply(x, 403, "Forbidden", arena_format(x->arena, "this key lacks the scope \"%s\"", scope_name(scope, writes)), NULL);
	return false;
}

static void pass(struct guard_task *t)
{
	if (guard_may(t->x, t->scope, t->writes))
		dispatch_pass(t->x);
}

static void add_number(struct exchange *x, const char *name, unsigned number)
{
	exchange_add_header(x, name, bytes_text(arena_format(x->arena, "%u", number)));
}

/* False: this key asked too often; answered. */
static bool within_rate(struct guard_task *t)
{
	struct coordinator *c = t->x->program;
	unsigned retry_s = 0, left, full_s;
	bool fine = rate_take_seen(c->admin_rate, bytes_text(t->asker->actor.credential), clock_mono(), &retry_s, &left, &full_s);

	add_number(t->x, "RateLimit-Limit", (unsigned)c->options->admin_per_minute);
	add_number(t->x, "RateLimit-Remaining", left);
	add_number(t->x, "RateLimit-Reset", full_s);
	if (fine)
		return true;
	add_number(t->x, "Retry-After", retry_s);
	problem_reply(t->x, 429, "Too Many Requests", "this key asks too often", NULL);
	return false;
}

/* Not `break` but 404: that another tailnet exists is nobody's business. */
static void find_tailnet(struct guard_task *t)
{
	struct coordinator *c = t->x->program;
	struct bytes name = t->asker->named;
	struct tx *tx;

	if (name.len && tailnet_check_name(name, NULL)) {
		problem_reply(t->x, 404, "looking up the tailnet", "tailnet not found", NULL);
		return;
	}
	if (t->wants_operator) {
		if (t->key_tailnet)
			problem_reply(t->x, 404, "not found", "not found", NULL);
		else
			pass(t);
		return;
	}
	if (t->key_tailnet) {
		tx = tx_begin(c->pg, t->key_tailnet, TX_READ);
		t->found = tailnets_get(tx);
	} else {
		tx = tx_begin(c->pg, TAILNET_INSTALLATION, TX_READ);
		t->found = tailnets_find(tx, name.len ? name : BYTES("default"));
	}
	tx_run(tx, on_tailnet, t);
}

static void on_tailnet(void *context, enum err e, struct tx *tx, const struct diag *why)
{
	struct guard_task *t = context;
	struct bytes name = t->asker->named;
	struct tailnet *tailnets = NULL;

	if (e) {
		problem_reply_err(t->x, e, "looking up the tailnet", why);
		return;
	}
	if (!tailnets_read(tx, t->found, t->x->arena, &tailnets) || (t->key_tailnet && name.len && !bytes_equal(name, tailnets[0].name))) {
		problem_reply(t->x, 404, "looking up the tailnet",
			      t->key_tailnet || name.len ? "tailnet not found" : "no tailnet `default`: name one by the header Fleetscale-Tailnet", NULL);
		return;
	}
	t->asker->tailnet = tailnets[0];
	t->asker->actor.tailnet = tailnets[0].id;
	pass(t);
}

static void on_key(void *context, enum err e, const struct apikey *key)
{
	struct guard_task *t = context;
	struct coordinator *c = t->x->program;
	struct wall now = clock_wall();
	const char *reason = NULL;

	if (e) {
		key_wipe(&t->secret, sizeof t->secret);
		problem_reply_err(t->x, e, "checking the API key", NULL);
		return;
	}
	if (!key || !secret_matches(&t->secret, key->hash))
		reason = "unknown API key";
	else if (!wall_is_zero(key->revoked))
		reason = "revoked API key";
	else if (wall_passed(key->expiry, now))
		reason = "expired API key";
	key_wipe(&t->secret, sizeof t->secret);
	if (reason) {
		refuse(t, reason);
		return;
	}
	t->key_tailnet = key->tailnet;
	t->asker->is_operator = key->tailnet == 0;
	t->asker->actor.name = key->tailnet ? "apikey" : "operator";
	t->asker->actor.credential = arena_text(t->x->arena, bytes_text(key->prefix));
	t->asker->actor.tailnet = key->tailnet;
	t->asker->known = true;
	if (!within_rate(t))
		return;
	/* A key with a scope that this program does not know may do what the others say. */
	for (size_t i = 0; i < key->scope_count; i++) {
		struct scopes one;

		if (scopes_parse(&key->scopes[i], 1, &one, NULL))
			continue;
		t->asker->scopes.read |= one.read;
		t->asker->scopes.write |= one.write;
	}
	apikeys_touch(c->pg, key);
	find_tailnet(t);
}

static struct bytes header_kept(struct exchange *x, const char *name)
{
	struct bytes value = exchange_header(x, name);

	return value.at ? arena_copy(x->arena, value) : BYTES_NONE;
}

static void guard(struct exchange *x, enum scope scope, bool writes)
{
	struct coordinator *c = x->program;
	struct bytes header = exchange_header(x, "authorization");
	struct guard_task *t = ARENA_NEW(x->arena, struct guard_task);

	t->x = x;
	t->wants_operator = scope == SCOPE_OPERATOR;
	t->scope = scope;
	t->writes = writes;
	t->asker = ARENA_NEW(x->arena, struct asker);
	t->asker->actor.request = x->id;
	t->asker->named = header_kept(x, "fleetscale-tailnet");
	t->asker->if_match = header_kept(x, "if-match");
	t->asker->if_none_match = header_kept(x, "if-none-match");
	x->guard = t->asker;
	if (x->door & DOOR_SOCKET) {
		t->asker->is_operator = true;
		t->asker->actor.name = "socket";
		t->asker->known = true;
		t->asker->scopes = scopes_all();
		find_tailnet(t);
	} else if (!doorstep_credential(x)) {
		return;
	} else if (!bytes_starts(header, "Bearer ")) {
		refuse(t, "no credential");
	} else if (secret_parse(SECRET_API, bytes_skip(header, 7), &t->secret)) {
		refuse(t, "malformed API key");
	} else {
		apikeys_find(c->pg, bytes_text(t->secret.prefix), x->arena, on_key, t);
	}
}

void guard_any(struct exchange *x)
{
	guard(x, SCOPE_COUNT, false);
}

void guard_nodes(struct exchange *x)
{
	guard(x, SCOPE_NODES, true);
}

void guard_nodes_read(struct exchange *x)
{
	guard(x, SCOPE_NODES, false);
}

void guard_users(struct exchange *x)
{
	guard(x, SCOPE_USERS, true);
}

void guard_users_read(struct exchange *x)
{
	guard(x, SCOPE_USERS, false);
}

void guard_authkeys(struct exchange *x)
{
	guard(x, SCOPE_AUTHKEYS, true);
}

void guard_authkeys_read(struct exchange *x)
{
	guard(x, SCOPE_AUTHKEYS, false);
}

void guard_apikeys(struct exchange *x)
{
	guard(x, SCOPE_APIKEYS, true);
}

void guard_apikeys_read(struct exchange *x)
{
	guard(x, SCOPE_APIKEYS, false);
}

void guard_settings(struct exchange *x)
{
	guard(x, SCOPE_SETTINGS, true);
}

void guard_settings_read(struct exchange *x)
{
	guard(x, SCOPE_SETTINGS, false);
}

void guard_policy(struct exchange *x)
{
	guard(x, SCOPE_POLICY, true);
}

void guard_policy_read(struct exchange *x)
{
	guard(x, SCOPE_POLICY, false);
}

void guard_audits_read(struct exchange *x)
{
	guard(x, SCOPE_AUDITS, false);
}

void guard_operator(struct exchange *x)
{
	guard(x, SCOPE_OPERATOR, true);
}

void guard_operator_read(struct exchange *x)
{
	guard(x, SCOPE_OPERATOR, false);
}
