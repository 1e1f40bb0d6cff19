/* The table of auth keys: SQL and row <-> struct authkey, always of the transaction's tailnet.
 * Not the using of a key (nodes_enroll, nodes_rekey consume it) and not the finding before the tailnet is known (nodes_find_for_register).
 * Each function but authkeys_read adds a statement and returns its number. No journal lines: no map shows a key. */
#ifndef AUTHKEYS_H
#define AUTHKEYS_H

#include "authkey.h"
#include "tx.h"

/* Takes user, prefix, hash, description, flags, tags and expiry. Its row is the answer. ERR_NOT_FOUND: no such user. */
unsigned authkeys_insert(struct tx *tx, const struct authkey *key);
unsigned authkeys_list(struct tx *tx);                                 /* by id */
unsigned authkeys_page(struct tx *tx, uint64_t after, unsigned limit); /* by id, those behind `after` */
unsigned authkeys_expire(struct tx *tx, uint64_t id);                  /* revoked from now on (again: stays as it was). ERR_NOT_FOUND */
unsigned authkeys_delete(struct tx *tx, uint64_t id);                  /* nodes that it let in stay. ERR_NOT_FOUND */
size_t authkeys_read(struct tx *tx, unsigned statement, struct arena *arena, struct authkey **out);

#endif
