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

static struct tx *prune_begin(struct pg *pg, prune_fn on_done, void *context, struct prune **prune)
{
	struct tx *tx = tx_begin(pg, 0, TX_LOOKUP);
	*prune = ARENA_NEW(tx_arena(tx), struct prune);
	**prune = (struct prune){on_done, context};
	return tx;
}

void prune_journal(struct pg *pg, int64_t age_ms, uint64_t lines, prune_fn on_done, void *context)
{
	struct prune *prune;
	struct tx *tx = prune_begin(pg, on_done, context, &prune);
	tx_arg_i64(tx, age_ms);
	tx_arg_u64(tx, lines);
	tx_add(tx, "SELECT fleetscale.journal_prune(now() - $1 * interval '1 millisecond', $2)");
	tx_run(tx, on_pruned, prune);
}

void prune_logins(struct pg *pg, int64_t kept_ms, prune_fn on_done, void *context)
{
	struct prune *prune;
	struct tx *tx = prune_begin(pg, on_done, context, &prune);
	tx_arg_i64(tx, kept_ms);
	tx_add(tx, "SELECT fleetscale.logins_prune($1)");
	tx_run(tx, on_pruned, prune);
}

void prune_sshchecks(struct pg *pg, int64_t kept_ms, int64_t remembered_ms, prune_fn on_done, void *context)
{
	struct prune *prune;
	struct tx *tx = prune_begin(pg, on_done, context, &prune);
	tx_arg_i64(tx, kept_ms);
	tx_arg_i64(tx, remembered_ms);
	tx_add(tx, "SELECT fleetscale.ssh_checks_prune($1, $2)");
	tx_run(tx, on_pruned, prune);
}

void prune_audits(struct pg *pg, int64_t kept_ms, uint64_t most, prune_fn on_done, void *context)
{
	struct prune *prune;
	struct tx *tx = prune_begin(pg, on_done, context, &prune);
	tx_arg_i64(tx, kept_ms);
	tx_arg_u64(tx, most);
	tx_add(tx, "SELECT fleetscale.audits_prune($1, $2)");
	tx_run(tx, on_pruned, prune);
}
