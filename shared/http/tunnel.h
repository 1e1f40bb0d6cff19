/* The byte stream of a client after its upgrade: the pipe itself, or binary WebSocket messages in it. Its user does not see which.
 * Not the handshake (websocket.h) and not the framing (wsframe.h).
 * The tunnel owns the pipe; events are those of a pipe (pipe.h) and go straight to the pipe where nothing is framed. Lives in its user's struct. */
#ifndef TUNNEL_H
#define TUNNEL_H

#include "pipe.h"

struct tunnel {
	struct pipe *pipe;
	struct tunnel_frames *frames; /* NULL: raw */
};

void tunnel_open(struct tunnel *t, struct loop *loop, struct pipe *pipe, bool framed, const struct pipe_events *events, void *context);
/* Without a further callback; a WebSocket says goodbye. */
void tunnel_close(struct tunnel *t);
/* Takes the buffer's memory, like pipe_write. */
MUST_USE enum err tunnel_write(struct tunnel *t, struct buffer *out);
bool tunnel_busy(const struct tunnel *t);
size_t tunnel_held(const struct tunnel *t); /* bytes that came and are not eaten, and those that are not sent */
void tunnel_pause(struct tunnel *t);        /* reads no more */

#endif
