/* All writes to users: check, statement, audit line; the caller commits by act_commit.
 * *row becomes the statement whose row is the user (users_read). On error nothing was added. */
#ifndef ACT_USER_H
#define ACT_USER_H

#include "act.h"
#include "users.h"

MUST_USE enum err act_user_create(struct tx *tx, const struct actor *actor, const struct user *user, unsigned *row, struct diag *why);
MUST_USE enum err act_user_rename(struct tx *tx, const struct actor *actor, uint64_t id, struct bytes name, unsigned *row, struct diag *why);
void act_user_delete(struct tx *tx, const struct actor *actor, uint64_t id);

#endif
