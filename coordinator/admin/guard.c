#include "guard.h"

#include "apikeys.h"
#include "dispatch.h"
#include "doorstep.h"
#include "log.h"
#include "problem.h"
#include "tailnets.h"

struct guard_task {
	struct exchange *x;
	struct secret secret;
	struct asker *asker;
	bool wants_operator;
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
	log_info(SUBJECT("admin"), "request refused", F_TEXT("reason", reason), F_TEXT("peer", peer), F_BYTES("path", bytes_take(t->x->path, 200)),
		 F_UINT("id", t->x->id));
	doorstep_refused(t->x);
	problem_reply(t->x, 401, "Unauthorized", "Unauthorized", NULL);
}

/* Not `break` but 404: that another tailnet exists is nobody's business. */
static void find_tailnet(struct guard_task *t)
{
	struct coordinator *c = t->x->program;
	struct bytes name = t->asker->named;
	struct tx *tx;

	if (t->wants_operator) {
		if (t->key_tailnet)
			problem_reply(t->x, 404, "not found", "not found", NULL);
		else
			dispatch_pass(t->x);
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
	dispatch_pass(t->x);
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
	apikeys_touch(c->pg, key);
	find_tailnet(t);
}

static void guard(struct exchange *x, bool wants_operator)
{
	struct coordinator *c = x->program;
	struct bytes header = exchange_header(x, "authorization");
	struct guard_task *t = ARENA_NEW(x->arena, struct guard_task);

	t->x = x;
	t->wants_operator = wants_operator;
	t->asker = ARENA_NEW(x->arena, struct asker);
	t->asker->actor.request = x->id;
	t->asker->named = arena_copy(x->arena, exchange_header(x, "fleetscale-tailnet"));
	x->guard = t->asker;
	if (x->door & DOOR_SOCKET) {
		t->asker->is_operator = true;
		t->asker->actor.name = "socket";
		t->asker->known = true;
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

void guard_tailnet(struct exchange *x)
{
	guard(x, false);
}

void guard_operator(struct exchange *x)
{
	guard(x, true);
}
