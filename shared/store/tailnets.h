/* The table of tailnets: SQL and row <-> struct tailnet.
 * Not the checks of names and ranges (fleet/tailnet.h). Functions with a struct tx add one statement and return its number.
 * Rows read live in the caller's arena. All but tailnets_get want a transaction of tailnet 0, the installation. */
#ifndef TAILNETS_H
#define TAILNETS_H

#include "tailnet.h"
#include "tx.h"

/* TX_WRITE. Id and creation are given by the database; an empty domain becomes NAME.<base domain>, ranges of family IP_NONE the whole of what clients know.
 * Read the row back with tailnets_read. ERR_EXISTS: name or domain is taken. */
unsigned tailnets_insert(struct tx *tx, const struct tailnet *tailnet);
unsigned tailnets_list(struct tx *tx);                    /* by id */
unsigned tailnets_find(struct tx *tx, struct bytes name); /* one row or none */
unsigned tailnets_get(struct tx *tx);                     /* the transaction's own tailnet; one row or none */
size_t tailnets_read(struct tx *tx, unsigned statement, struct arena *arena, struct tailnet **out);

#endif
