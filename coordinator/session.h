/* One client connection: upgrade -> Noise -> HTTP/2; its states, its only exit.
 * Not the requests in it (serve_*). One machine may hold several sessions at a time (docs/protocol/transport.md).
 * The session owns its pipe, ciphers and HTTP/2; session_end frees it at the end of the turn. */
#ifndef SESSION_H
#define SESSION_H

#include "coordinator.h"
#include "h2pipe.h"
#include "noise.h"
#include "tunnel.h"

struct session {
	struct coordinator *worker;
	struct list in_state;
	enum session_state state;
	struct tunnel tunnel;
	struct h2pipe *h2;
	struct noise noise;
	struct buffer plain; /* opened, not yet eaten by HTTP/2 */
	struct timer idle;
	struct defer flush, bury;
	uint64_t id;
	char *host; /* what the upgrade request said: into each exchange */
};

/* POST /ts2021: the handshake header in, 101 with the Noise answer out. */
void serve_upgrade(struct exchange *x);
/* GET /ts2021: the same for browsers, over a WebSocket. */
void serve_websocket(struct exchange *x);
/* Idempotent. `why` is for the log; what is open inside is told. */
void session_end(struct session *s, enum err why);
/* GOAWAY; ends when its streams have ended. */
void session_drain(struct session *s);

#define SESSION(s) ((struct subject){.kind = "session", .id = (s)->id})

#endif
