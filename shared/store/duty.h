/* Duties: chores that one process at a time does. An advisory lock inside the chore's own transaction, so that it ends with it whatever happens.
 * Not leadership: nobody holds a duty between two transactions, and a chore must be harmless when done twice.
 * Nothing is owned. */
#ifndef DUTY_H
#define DUTY_H

#include "tx.h"

/* Numbers stay: those of prune.h stand in functions of the database. */
enum duty { DUTY_NONE, DUTY_EXPIRY, DUTY_EPHEMERAL, DUTY_JOURNAL, DUTY_LOGINS, DUTY_ROUTES, DUTY_CHECKS, DUTY_ATTRIBUTES, DUTY_RELAYS = 20 };

/* First statement of a TX_WRITE: the whole fails with ERR_AGAIN when another process does this duty for this tailnet right now. */
void duty_take(struct tx *tx, enum duty duty);

#endif
