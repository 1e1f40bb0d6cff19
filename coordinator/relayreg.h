/* Relays announce themselves and ask "may this key connect?". What they say becomes rows; the mapper renders the relay map.
 * Not a relay's life (relayfleet.h). Credential: a relay token, bearer; stock relays, which have no place for one, say it at the end of the path.
 * Source of the verify shape: docs/protocol/derp.md (tailscale cmd/derper -verify-client-url). */
#ifndef RELAYREG_H
#define RELAYREG_H

#include "exchange.h"

void relayreg_guard(struct exchange *x);       /* x->guard becomes the struct relay_token */
void relayreg_guard_path(struct exchange *x);  /* by the token in the path */
void serve_relay_announce(struct exchange *x); /* POST /relay/v1/announce */
void serve_relay_verify(struct exchange *x);   /* POST /relay/v1/verify, /relay/v1/verify/{token} */

#endif
