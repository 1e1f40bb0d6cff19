/* A client that speaks through WebSocket messages, made into one that speaks through bytes: a socket pair, frames on its far side.
 * Not the handshake (websocket.h). Few clients come so (browsers), so that the others need not know of it; a bridge ends when either side does.
 * The bridge owns the WebSocket and its end of the pair, and frees itself; what is given back is the caller's. */
#ifndef WSBRIDGE_H
#define WSBRIDGE_H

#include "pipe.h"

struct shard;

/* Takes `framed`. What it holds is counted by the shard's room. A client that takes nothing of what waits for it for limits.write_timeout ends; and so does one that has
 * not taken all so long after the relay has ended its side, however busily it takes. NULL: no descriptors are left; `framed` is closed. Source: docs/protocol/derp.md,
 * WebSocket. */
struct pipe *wsbridge_open(struct shard *shard, struct pipe *framed, size_t in_cap);

#endif
