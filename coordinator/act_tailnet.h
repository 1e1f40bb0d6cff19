/* All writes to tailnets: check, statement, audit line; the caller commits (a transaction of tailnet 0) by act_commit. */
#ifndef ACT_TAILNET_H
#define ACT_TAILNET_H

#include "act.h"
#include "tailnets.h"

/* Empty domain and ranges of family IP_NONE get the defaults. *row: the statement whose row is the tailnet. On error nothing was added. */
MUST_USE enum err act_tailnet_create(struct tx *tx, const struct actor *actor, const struct tailnet *tailnet, unsigned *row, struct diag *why);

#endif
