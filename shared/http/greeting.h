/* Reads the PROXY header off a fresh socket, and no byte more, before h2o looks at it.
 * Not the decoding (proxyline.h) and not whether the peer is believed (server.c).
 * The socket stays the caller's. A peer that is slow is given up. */
#ifndef GREETING_H
#define GREETING_H

#include "loop_h2o.h"
#include "proxyline.h"

/* on_greeted once, never from within: ERR_NONE with what was said; ERR_TIMEOUT, ERR_CLOSED, ERR_TOO_BIG or ERR_MALFORMED. */
void greeting_begin(struct loop *loop, h2o_socket_t *sock, int64_t timeout_ms, void (*on_greeted)(void *context, enum err e, const struct proxyline *line),
		    void *context);

#endif
