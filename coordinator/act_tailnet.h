/* All writes to tailnets and their settings: check, statement, audit line; the caller commits by act_commit, but for act_tailnet_delete, which commits itself.
 * Not the reading (store/tailnets.h). `0:` wants a transaction of tailnet 0, `own:` one of the tailnet itself. On error nothing was added. */
#ifndef ACT_TAILNET_H
#define ACT_TAILNET_H

#include "act.h"
#include "tailnets.h"

/* 0: Empty domain and ranges of family IP_NONE get the defaults. *row: the statement whose row is the tailnet. */
MUST_USE enum err act_tailnet_create(struct tx *tx, const struct actor *actor, const struct tailnet *tailnet, unsigned *row, struct diag *why);
/* own: The whole row as it is to be, checked as a whole (tailnets_update). action: "tailnet.update" or "settings.update". *row: for tailnets_read_whole. */
MUST_USE enum err act_tailnet_update(struct tx *tx, const struct actor *actor, const char *action, const struct tailnets_whole *whole, unsigned *row,
				     struct diag *why);

typedef void (*act_tailnet_fn)(void *context, enum err e, const struct diag *why);
/* With all that belongs to it. Forced: at first its nodes, with bell, so that clients are told; without, ERR_CONFLICT while it has nodes.
 * Answers exactly once, never before it returned. A failure between the two steps leaves it empty and suspended. The actor may end before the answer. */
void act_tailnet_delete(struct coordinator *c, const struct actor *actor, const struct tailnet *tailnet, bool forced, act_tailnet_fn on_done, void *context);

#endif
