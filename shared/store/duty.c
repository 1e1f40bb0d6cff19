#include "duty.h"

void duty_take(struct tx *tx, enum duty duty)
{
	tx_arg_u64(tx, duty);
	tx_add(tx, "SELECT fleetscale.want(pg_try_advisory_xact_lock(hashtextextended('fleetscale duty ' || $1 || ' ' || fleetscale.current_tailnet(), 0)), "
		   "'FS007', 'another process does it')");
}

struct prune {
	duty_fn on_done;
	void *context;
};

static void on_pruned(void *context, enum err e, struct tx *tx, const struct diag *why)
{
	struct prune prune = *(struct prune *)context;
	(void)why;
	prune.on_done(prune.context, e, e ? 0 : tx_u64(tx, 0, 0, 0));
}

void duty_prune_journal(struct pg *pg, int64_t age_ms, uint64_t lines, duty_fn on_done, void *context)
{
	struct tx *tx = tx_begin(pg, 0, TX_LOOKUP);
	struct prune *prune = ARENA_NEW(tx_arena(tx), struct prune);
	*prune = (struct prune){on_done, context};
	tx_arg_i64(tx, age_ms);
	tx_arg_u64(tx, lines);
	tx_add(tx, "SELECT fleetscale.journal_prune(now() - $1 * interval '1 millisecond', $2)");
	tx_run(tx, on_pruned, prune);
}
