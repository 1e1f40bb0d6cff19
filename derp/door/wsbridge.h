/* A client that speaks through WebSocket messages, made into one that speaks through bytes: a socket pair, frames on its far side.
 * Not the handshake (websocket.h). Few clients come so (browsers), so that the others need not know of it; a bridge ends when either side does.
 * The bridge owns the WebSocket and its end of the pair, and frees itself; what is given back is the caller's. */
#ifndef WSBRIDGE_H
#define WSBRIDGE_H

#include "pipe.h"

/* Takes `framed`. What all of them hold is kept in *held, which outlives them. patience_ms: a client that takes nothing of what waits for it for so long ends; and so does one that
 * has not taken all so long after the relay has ended its side, however busily it takes. NULL: no descriptors are left; `framed` is closed. Source: docs/protocol/derp.md, WebSocket. */
struct pipe *wsbridge_open(struct loop *loop, struct pipe *framed, size_t in_cap, int64_t patience_ms, size_t *held);

#endif
