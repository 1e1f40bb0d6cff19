/* Who am I, as this coordinator sees it: credential, tailnet, scopes, and how the request came: what `fleetscale doctor` holds against what it dialled.
 * Source: docs/protocol/admin.md. */
#ifndef OWN_WHOAMI_H
#define OWN_WHOAMI_H

#include "exchange.h"

void own_whoami(struct exchange *x);

#endif
