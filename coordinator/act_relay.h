/* All writes to relays, their tokens and regions by administrators: check, mint, statements, audit line; the caller commits (a transaction of tailnet 0) by
 * act_commit. What a relay says of itself is relayreg's. */
#ifndef ACT_RELAY_H
#define ACT_RELAY_H

#include "act.h"
#include "relays.h"

/* Makes the region unless it is there (a region without a code must be), and adds a relay to it; the token is shown once by the caller.
 * *row: the statement whose row is the relay. */
MUST_USE enum err act_relay_create(struct tx *tx, const struct actor *actor, const struct relay_region *region, const struct relay *relay,
				   struct secret *secret, unsigned *row, struct diag *why);
void act_relay_delete(struct tx *tx, const struct actor *actor, uint64_t id);
void act_relay_wish(struct tx *tx, const struct actor *actor, uint64_t id, bool drain);

MUST_USE enum err act_region_create(struct tx *tx, const struct actor *actor, const struct region_change *change, struct diag *why);
MUST_USE enum err act_region_update(struct tx *tx, const struct actor *actor, const struct region_change *change, struct diag *why);
void act_region_delete(struct tx *tx, const struct actor *actor, unsigned id);
/* key: NULL for a random one. */
void act_region_rotate(struct tx *tx, const struct actor *actor, unsigned id, const uint8_t *key, int64_t overlap_ms);

MUST_USE enum err act_relay_token_create(struct tx *tx, const struct actor *actor, const struct relay_token *token, struct secret *secret, unsigned *row,
					 struct diag *why);
void act_relay_token_revoke(struct tx *tx, const struct actor *actor, uint64_t id);

#endif
