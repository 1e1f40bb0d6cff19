#include "prune.h"

struct prune {
	prune_fn on_done;
	void *context;
};

static void on_pruned(void *context, enum err e, struct tx *tx, const struct diag *why)
{
	struct prune prune = *(struct prune *)context;
	(void)why;
	prune.on_done(prune.context, e, e ? 0 : tx_u64(tx, 0, 0, 0));
}

/* `count` arguments of one statement. */
static void prune(struct pg *pg, const char *sql, const int64_t *arguments, size_t count, prune_fn on_done, void *context)
{
	struct tx *tx = tx_begin(pg, 0, TX_LOOKUP);
	struct prune *asked = ARENA_NEW(tx_arena(tx), struct prune);
	*asked = (struct prune){on_done, context};
	for (size_t i = 0; i < count; i++)
		tx_arg_i64(tx, arguments[i]);
	tx_add(tx, sql);
	tx_run(tx, on_pruned, asked);
}

void prune_journal(struct pg *pg, int64_t age_ms, uint64_t lines, prune_fn on_done, void *context)
{
	prune(pg, "SELECT fleetscale.journal_prune(now() - $1 * interval '1 millisecond', $2)", (int64_t[]){age_ms, (int64_t)lines}, 2, on_done, context);
}

void prune_logins(struct pg *pg, int64_t kept_ms, prune_fn on_done, void *context)
{
	prune(pg, "SELECT fleetscale.logins_prune($1)", &kept_ms, 1, on_done, context);
}

void prune_sshchecks(struct pg *pg, int64_t kept_ms, int64_t remembered_ms, prune_fn on_done, void *context)
{
	prune(pg, "SELECT fleetscale.ssh_checks_prune($1, $2)", (int64_t[]){kept_ms, remembered_ms}, 2, on_done, context);
}

void prune_audits(struct pg *pg, int64_t kept_ms, uint64_t most, prune_fn on_done, void *context)
{
	prune(pg, "SELECT fleetscale.audits_prune($1, $2)", (int64_t[]){kept_ms, (int64_t)most}, 2, on_done, context);
}
