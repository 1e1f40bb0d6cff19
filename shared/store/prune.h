/* Removal of rows that have served, over all tailnets: each kind in one transaction, by one process at a time.
 * Not when (coordinator/sweep.h). ERR_AGAIN: somebody else is at it. A removal that finds nothing answers with 0.
 * Nothing is owned. */
#ifndef PRUNE_H
#define PRUNE_H

#include "tx.h"

typedef void (*prune_fn)(void *context, enum err e, uint64_t removed);

/* Lines that are older than age_ms or more than `lines` generations behind; the last of each tailnet stays. */
void prune_journal(struct pg *pg, int64_t age_ms, uint64_t lines, prune_fn on_done, void *context);
/* Those that ended longer ago than kept_ms. */
void prune_logins(struct pg *pg, int64_t kept_ms, prune_fn on_done, void *context);
/* Checks that ended longer ago than kept_ms, and sign-ins older than remembered_ms. */
void prune_sshchecks(struct pg *pg, int64_t kept_ms, int64_t remembered_ms, prune_fn on_done, void *context);
/* Lines older than kept_ms, of the oldest `most`. */
void prune_audits(struct pg *pg, int64_t kept_ms, uint64_t most, prune_fn on_done, void *context);

#endif
