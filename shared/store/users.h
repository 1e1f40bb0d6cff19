/* The table of users: SQL and row <-> struct user, always of the transaction's tailnet.
 * Not the check of names (fleet/user.h). Each function but users_read adds a statement and returns its number; writes add their journal line too.
 * Rows read live in the caller's arena. */
#ifndef USERS_H
#define USERS_H

#include "tx.h"
#include "user.h"

unsigned users_insert(struct tx *tx,
		      const struct user *user); /* its row is the answer, for users_read. ERR_EXISTS: the name is taken. ERR_EXHAUSTED: the limit */
unsigned users_list(struct tx *tx);             /* by id */
unsigned users_page(struct tx *tx, uint64_t after, unsigned limit);          /* by id, those behind `after` */
unsigned users_get(struct tx *tx, uint64_t id);                              /* one row or none */
unsigned users_find(struct tx *tx, struct bytes name);                       /* one row or none */
unsigned users_rename(struct tx *tx, uint64_t id, struct bytes name);        /* its row is the answer. ERR_NOT_FOUND, ERR_EXISTS */
unsigned users_of_nodes(struct tx *tx, const uint64_t *nodes, size_t count); /* whose those nodes are, by id */
/* Auth keys of the user go too. ERR_NOT_FOUND; ERR_CONFLICT while the user has nodes. */
unsigned users_delete(struct tx *tx, uint64_t id);
/* Nothing differs: no journal line. A new owner makes an administrator of the one before. ERR_NOT_FOUND. */
unsigned users_set_role(struct tx *tx, uint64_t id, unsigned roles);
unsigned users_set_groups(struct tx *tx, uint64_t id, const struct bytes *groups, size_t count); /* these and no others. ERR_NOT_FOUND */
/* With outer groups. */
size_t users_read(struct tx *tx, unsigned statement, struct arena *arena, struct user **out);

#endif
