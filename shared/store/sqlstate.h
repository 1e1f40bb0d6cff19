/* What PostgreSQL refused, as an error code and a sentence for people.
 * Not a log: what nobody can answer for is logged by the one who asked. Private to store.
 * Pure. */
#ifndef SQLSTATE_H
#define SQLSTATE_H

#include "err.h"

/* `state`: five characters (may be NULL: the connection broke). `constraint`: its name, or NULL. */
enum err sqlstate_judge(const char *state, const char *sentence, const char *constraint, struct diag *why);

#endif
