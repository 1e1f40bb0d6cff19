/* All writes to relays and regions by administrators: check, mint, statements, audit line; the caller commits (a transaction of tailnet 0) by act_commit.
 * What a relay says of itself is relayreg's. */
#ifndef ACT_RELAY_H
#define ACT_RELAY_H

#include "act.h"
#include "relays.h"

enum { REGION_ID_MAX = 65535 }; /* 16 bits: peer relays use them so (docs/protocol/derpmap.md) */

/* Makes or updates the region and adds a relay to it; the token is shown once by the caller. *row: the statement whose row is the relay. */
MUST_USE enum err act_relay_create(struct tx *tx, const struct actor *actor, const struct relay_region *region, struct bytes name, struct secret *secret,
				   unsigned *row, struct diag *why);
void act_relay_delete(struct tx *tx, const struct actor *actor, uint64_t id);

#endif
