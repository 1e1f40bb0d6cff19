/* Hand a raw connection over after 101 Switching Protocols: control sessions and relay clients.
 * Not WebSocket framing. From the exchange of an h2o door only.
 * The pipe becomes the caller's; the exchange has ended when on_pipe is called. */
#ifndef UPGRADE_H
#define UPGRADE_H

#include "exchange.h"
#include "pipe.h"

/* The Upgrade request header, lower-cased copy in the arena; empty when the request does not ask ("Connection: upgrade" missing counts so). */
struct bytes upgrade_wanted(struct exchange *x);
/* Sends 101 with `Upgrade: protocol` (byte for byte), added headers, and `first` right behind the head in the same write.
 * on_pipe(context, pipe) once: NULL when the client was gone. Bytes the client sent past its head are in the pipe's input and shown by on_data. */
void upgrade_take(struct exchange *x, const char *protocol, struct bytes first, size_t in_cap, void (*on_pipe)(void *context, struct pipe *pipe),
		  void *context);
/* The same without a word: a client that sends on without waiting for an answer expects none. The pipe's first bytes are the caller's. */
void upgrade_take_silently(struct exchange *x, size_t in_cap, void (*on_pipe)(void *context, struct pipe *pipe), void *context);

#endif
