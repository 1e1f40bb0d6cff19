/* Relays announce themselves and ask "may this key connect?". What they say becomes rows; the mapper renders the relay map.
 * Not a relay's life (relayfleet.h). Credential: a relay token, bearer; stock relays, which have no place for one, say it at the end of the path.
 * Source of the verify shape: docs/protocol/derp.md (tailscale cmd/derper -verify-client-url). */
#ifndef RELAYREG_H
#define RELAYREG_H

#include "exchange.h"

/* How it ended, for the metrics, whose labels are in the same order (options.c). */
enum relayreg_result {
	RELAYREG_DONE, /* taken; allowed */
	RELAYREG_UNKNOWN_TOKEN,
	RELAYREG_REVOKED_TOKEN,
	RELAYREG_THROTTLED,
	RELAYREG_MALFORMED,
	RELAYREG_REFUSED, /* gone, or not its name; not allowed */
	RELAYREG_UNAVAILABLE
};

void relayreg_guard(struct exchange *x);       /* x->guard becomes the struct relay_token */
void relayreg_guard_path(struct exchange *x);  /* by the token in the path */
void serve_relay_announce(struct exchange *x); /* POST /relay/v1/announce */
void serve_relay_verify(struct exchange *x);   /* POST /relay/v1/verify, /relay/v1/verify/{token} */

#endif
