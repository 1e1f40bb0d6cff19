/* Attributes of a node under /api/fleetscale/v1: JSON <-> act_attribute and store; no rules of its own. */
#ifndef OWN_ATTRIBUTES_H
#define OWN_ATTRIBUTES_H

#include "exchange.h"

void own_attributes_list(struct exchange *x); /* GET /nodes/{id}/attributes: few, hence one page; what its client reports comes first */
void own_attributes_set(struct exchange *x);  /* PUT /nodes/{id}/attributes/{key} */
void own_attributes_delete(struct exchange *x);

#endif
