/* One connection of the link: handshake with the cluster secret, then frames inside Noise records; both ends.
 * Not what frames mean (dial.c, gate.c), no heartbeat.
 * Its user owns it; linkwire_close ends it without a further callback, legal inside its own callbacks; frees at the end of the turn. */
#ifndef LINKWIRE_H
#define LINKWIRE_H

#include "addr.h"
#include "linkframe.h"
#include "loop.h"

enum { LINK_HANDSHAKE_MS = 2000 }; /* to connect and to prove the secret */

struct linkwire;

struct linkwire_events {
	void (*on_ready)(void *context);                                /* the other end has proven that it knows the secret */
	void (*on_frame)(void *context, const struct linkframe *frame); /* borrowed */
	/* ERR_CRYPTO: another secret or broken records. ERR_MALFORMED, ERR_TOO_BIG: broken frames, or output past its cap. ERR_TIMEOUT: handshake too slow.
	 * Else as a pipe ends. At most once; still to be closed. */
	void (*on_end)(void *context, enum err why);
};

/* `secret` is borrowed until linkwire_close. The connecting end speaks first. */
struct linkwire *linkwire_connect(struct loop *loop, struct endpoint to, struct bytes secret, const struct linkwire_events *events, void *context);
struct linkwire *linkwire_accept(struct loop *loop, int fd, struct bytes secret, const struct linkwire_events *events, void *context);
void linkwire_close(struct linkwire **wire); /* what was sent goes out as far as it goes without waiting */

/* Gathered, sealed and written at the end of the turn; held until the handshake is done. Past the cap the wire ends with ERR_TOO_BIG. */
void linkwire_send(struct linkwire *wire, const struct linkframe *frame);
/* ERR_TOO_BIG: the frame is longer than a frame may be; nothing was sent. */
MUST_USE enum err linkwire_try(struct linkwire *wire, const struct linkframe *frame);
MUST_USE enum err linkwire_try_full(struct linkwire *wire, uint32_t stream, uint64_t version, const struct link_piece *pieces, size_t count);
void linkwire_set_out_cap(struct linkwire *wire, size_t cap); /* default 16 MiB */
size_t linkwire_unsent(const struct linkwire *wire);
struct endpoint linkwire_peer(const struct linkwire *wire);
struct mono linkwire_heard(const struct linkwire *wire); /* when bytes came last */

#endif
