/* Whose API keys a request speaks of: a tailnet's, or the operator's own. What both APIs share of keys.
 * Not the keys (store/apikeys.h). Plain values. */
#ifndef KEYRING_H
#define KEYRING_H

#include "guard.h"

/* The operator without a named tailnet speaks of the operator's own keys, with the scope `operator`. On false 403 was answered. */
bool keyring_owner(struct exchange *x, bool writes, uint64_t *tailnet);
/* A key may not make one that can more than itself. On false 403 was answered. */
bool keyring_may_make(struct exchange *x, struct scopes scopes, const char *detail);

#endif
