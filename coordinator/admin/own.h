/* Our own resources under /api/fleetscale/v1: tailnets, relays, operator keys, audits; and v1's health. JSON <-> act_* and store; no rules of their own.
 * Lists that grow go in pages (page.h). */
#ifndef OWN_H
#define OWN_H

#include "exchange.h"

void own_tailnets_list(struct exchange *x);
void own_tailnets_create(struct exchange *x);
void own_tailnets_get(struct exchange *x);
void own_tailnets_update(struct exchange *x);
void own_tailnets_delete(struct exchange *x); /* ?confirm=NAME, and &force=true while it has nodes */
void own_settings_get(struct exchange *x);    /* of the tailnet asked for */
void own_settings_update(struct exchange *x);
void own_operator_create(struct exchange *x);
void own_keys_list(struct exchange *x);
void own_keys_create(struct exchange *x);
void own_keys_delete(struct exchange *x);
void own_nodes_list(struct exchange *x);
void own_nodes_get(struct exchange *x);
void own_audits_list(struct exchange *x);
void own_operator_audits_list(struct exchange *x); /* the installation's own lines: tailnets, relays, operator keys */
void v1_health(struct exchange *x);

#endif
