/* Relays announce themselves and ask "may this key connect?". What they say becomes rows; the mapper renders the relay map.
 * Not a relay's life (a lease, later its fleet's matter). Credential: the relay's token, bearer.
 * Source of the verify shape: docs/protocol/derp.md (tailscale cmd/derper -verify-client-url). */
#ifndef RELAYREG_H
#define RELAYREG_H

#include "exchange.h"

void relayreg_guard(struct exchange *x);       /* x->guard becomes the struct relay */
void serve_relay_announce(struct exchange *x); /* POST /relay/v1/announce */
void serve_relay_verify(struct exchange *x);   /* POST /relay/v1/verify */

#endif
