/* All writes to API keys, a tailnet's or the operator's (a transaction of tailnet 0): mint, statement, audit line; the caller commits by act_commit.
 * The secret is shown once by the caller, who wipes it. */
#ifndef ACT_APIKEY_H
#define ACT_APIKEY_H

#include "act.h"
#include "apikeys.h"

/* Takes description and expiry of `key`. Returns the statement whose row is the key. */
unsigned act_apikey_create(struct tx *tx, const struct actor *actor, struct apikey *key, struct secret *secret);
void act_apikey_expire(struct tx *tx, const struct actor *actor, uint64_t id);
void act_apikey_delete(struct tx *tx, const struct actor *actor, uint64_t id);

#endif
