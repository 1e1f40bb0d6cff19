/* All writes to auth keys: check, mint, statement, audit line; the caller commits by act_commit.
 * The secret is minted here and shown once by the caller, who wipes it. On error nothing was added. */
#ifndef ACT_AUTHKEY_H
#define ACT_AUTHKEY_H

#include "act.h"
#include "authkeys.h"

/* Takes user, flags, tags, description and expiry of `key`; sorts the tags. *row: the statement whose row is the key. */
MUST_USE enum err act_authkey_create(struct tx *tx, const struct actor *actor, struct authkey *key, struct secret *secret, unsigned *row, struct diag *why);
void act_authkey_expire(struct tx *tx, const struct actor *actor, uint64_t id);
void act_authkey_delete(struct tx *tx, const struct actor *actor, uint64_t id);
/* Sorted, unique, each well-formed: ERR_MALFORMED names the bad one. */
MUST_USE enum err act_tags_check(struct bytes *tags, size_t *count, struct diag *why);

#endif
