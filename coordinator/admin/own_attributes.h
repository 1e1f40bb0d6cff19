/* Attributes of a node under /api/fleetscale/v1: JSON <-> store; no rules of its own. */
#ifndef OWN_ATTRIBUTES_H
#define OWN_ATTRIBUTES_H

#include "exchange.h"

void own_attributes_list(struct exchange *x); /* GET /nodes/{id}/attributes: at most ATTRIBUTES_MAX, hence one page */

#endif
