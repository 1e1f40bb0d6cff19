/* What an operator may have to do when no coordinator answers: keys of the operator, and states of a tailnet, straight in PostgreSQL, blocking.
 * Not for programs that have a pool (act_*). Writes as they do: one transaction, journal line, audit line (actor "sql", credential: the SQL role).
 * Coordinators and mappers see it without a bell: within their `recheck`. The role is the owner or fleetscale_coordinator. */
#ifndef BREAKGLASS_H
#define BREAKGLASS_H

#include "err.h"
#include "secret.h"

/* A new key of the operator; expiry is RFC 3339. reset: all others are revoked with it, *revoked of them. */
MUST_USE enum err breakglass_operator(const char *url, const struct secret *secret, const char *expiry, bool reset, size_t *revoked, struct diag *why);

enum breakglass_state { BREAKGLASS_FROZEN, BREAKGLASS_SUSPENDED };
/* ERR_NOT_FOUND: no such tailnet. *changed: it was not so before. */
MUST_USE enum err breakglass_tailnet(const char *url, const char *name, enum breakglass_state state, bool on, bool *changed, struct diag *why);

#endif
