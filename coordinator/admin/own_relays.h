/* Relays, their tokens and regions under /api/fleetscale/v1: for operators.
 * Not the rules (act_relay.h) and not what relays say themselves (relayreg.h).
 * Everything lives in the exchange's arena. */
#ifndef OWN_RELAYS_H
#define OWN_RELAYS_H

#include "exchange.h"

void own_relay_probes_list(struct exchange *x); /* what relays found when they probed each other */
void own_relays_list(struct exchange *x);
void own_relays_create(struct exchange *x);
void own_relays_update(struct exchange *x);
void own_relays_delete(struct exchange *x);
void own_relay_key_get(struct exchange *x); /* what signs answers to relays */
void own_relay_tokens_list(struct exchange *x);
void own_relay_tokens_create(struct exchange *x);
void own_relay_tokens_delete(struct exchange *x);
void own_regions_list(struct exchange *x);
void own_regions_create(struct exchange *x);
void own_regions_update(struct exchange *x);
void own_regions_delete(struct exchange *x);
void own_mesh_key_get(struct exchange *x);
void own_mesh_key_rotate(struct exchange *x);

#endif
