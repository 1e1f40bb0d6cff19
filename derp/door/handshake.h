/* From the upgrade request to a proven key: GET /derp, ServerKey out, ClientInfo in, then over to the key's own shard.
 * Not the admission and not the life afterwards (client.h). Ten seconds in all; nobody waits longer without a key.
 * A guest owns its pipe until it is handed over. Source: docs/protocol/derp.md, upgrade and handshake. */
#ifndef HANDSHAKE_H
#define HANDSHAKE_H

#include "exchange.h"

struct shard;

/* The handler of /derp: takes the connection over, or answers 426. */
void handshake_begin(struct exchange *x);
void handshake_end_all(struct shard *shard);

#endif
