#include "act_sshcheck.h"

#include "held.h"
#include "log.h"
#include "text.h"

static const struct sshchecks_caps caps = {.pair = 10, .destination = 100, .tailnet = 1000};

struct check_act {
	struct coordinator *c;
	const struct actor *actor;
	bool approved;
	unsigned rung; /* statement */
	act_sshcheck_fn on_done;
	void *context;
};

static void on_begun(void *context, enum err e, struct tx *tx, const struct diag *why)
{
	const struct check_act *a = context;

	(void)tx;
	a->on_done(a->context, e, why);
}

void act_sshcheck_begin(struct coordinator *c, uint64_t tailnet, const struct login_id *id, const struct sshcheck_login *login, act_sshcheck_fn on_done,
			void *context)
{
	struct tx *tx = tx_begin(c->pg, tailnet, TX_WRITE);
	struct check_act *a = ARENA_NEW(tx_arena(tx), struct check_act);

	*a = (struct check_act){.on_done = on_done, .context = context};
	sshchecks_begin(tx, id, login, c->options->login_lifetime_ms, caps);
	act_commit(c, tx, on_begun, a);
}

static void on_answered(void *context, enum err e, struct tx *tx, const struct diag *why)
{
	const struct check_act *a = context;
	const uint8_t(*hashes)[LOGIN_HASH_LEN];
	size_t count = e ? 0 : sshchecks_read_answer(tx, a->rung, tx_arena(tx), &hashes);

	for (size_t i = 0; i < count; i++)
		held_ring(a->c, hashes[i]);
	if (!e)
		log_info(((struct subject){.kind = "sshcheck", .tailnet = a->actor->tailnet, .id = a->actor->request}),
			 a->approved ? "check approved" : "check rejected", F_TEXT("actor", a->actor->name));
	a->on_done(a->context, e, why);
}

void act_sshcheck_answer(struct coordinator *c, const struct actor *actor, const struct login_id *id, bool approved, act_sshcheck_fn on_done, void *context)
{
	struct tx *tx = tx_begin(c->pg, actor->tailnet, TX_WRITE);
	struct check_act *a = ARENA_NEW(tx_arena(tx), struct check_act);
	char hex[2 * LOGIN_HASH_LEN + 1];

	*a = (struct check_act){.c = c, .actor = actor, .approved = approved, .on_done = on_done, .context = context};
	hex_encode(hex, bytes_of(id->hash, LOGIN_HASH_LEN));
	act_audit_named(tx, actor, approved ? "sshcheck.approve" : "sshcheck.reject", arena_copy(tx_arena(tx), bytes_text(hex)));
	a->rung = sshchecks_answer(tx, id->hash, approved ? BYTES_NONE : BYTES("an administrator rejected this sign-in"));
	act_commit(c, tx, on_answered, a);
}
