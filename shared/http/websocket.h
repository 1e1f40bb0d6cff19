/* The handshake of a WebSocket: what the request must say, and the 101 that answers it. Any Origin is welcome; no extension is taken.
 * Not the frames (wsframe.h) and not the connection afterwards (tunnel.h).
 * As upgrade.h: the pipe becomes the caller's. Source: RFC 6455, 4.2; docs/protocol/transport.md. */
#ifndef WEBSOCKET_H
#define WEBSOCKET_H

#include "upgrade.h"

/* Does this ask for a WebSocket, version 13, and offer `subprotocol`? Otherwise answers 400 or 426 and returns false. */
bool websocket_asked(struct exchange *x, const char *subprotocol);
/* After websocket_asked. `first` goes out as messages behind the head; `last`: and then a close frame. */
void websocket_take(struct exchange *x, const char *subprotocol, struct bytes first, bool last, size_t in_cap,
		    void (*on_pipe)(void *context, struct pipe *pipe), void *context);

#endif
