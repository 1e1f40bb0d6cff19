/* All writes to users: check, statement, audit line; the caller commits by act_commit.
 * *row becomes the statement whose row is the user (users_read). On error nothing was added. */
#ifndef ACT_USER_H
#define ACT_USER_H

#include "act.h"
#include "users.h"

MUST_USE enum err act_user_create(struct tx *tx, const struct actor *actor, const struct user *user, unsigned *row, struct diag *why);
MUST_USE enum err act_user_rename(struct tx *tx, const struct actor *actor, uint64_t id, struct bytes name, unsigned *row, struct diag *why);
/* What rules see of a user. */
struct user_place {
	struct bytes role; /* at NULL: stays */
	bool has_groups;
	const struct bytes *groups; /* outer groups, these and no others */
	size_t group_count;
};
/* ERR_NOT_FOUND comes with the answer. A new owner makes an administrator of the one before. */
MUST_USE enum err act_user_place(struct tx *tx, const struct actor *actor, uint64_t id, const struct user_place *place, unsigned *row, struct diag *why);
void act_user_delete(struct tx *tx, const struct actor *actor, uint64_t id);

#endif
