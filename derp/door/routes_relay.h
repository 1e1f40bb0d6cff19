/* Every URL of a relay.
 * Not the handshake behind /derp (handshake.h) and not the operations door.
 * Static. Source: docs/protocol/derp.md, route table (tailscale cmd/derper, derp/derpserver/handler.go). */
#ifndef ROUTES_RELAY_H
#define ROUTES_RELAY_H

#include "dispatch.h"

/* DOOR_RELAY: the relay itself. DOOR_CLIENTS: the plain port for captive portal checks, questions of authorities, and those who came to the wrong port. */
extern const struct route relay_routes[];

#endif
