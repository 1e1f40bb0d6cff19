/* HTTP/2 server over any byte pipe, prior knowledge: bytes in, bytes out, exchanges between. nghttp2 is named only here.
 * Not the pipe: its user feeds and takes. Caps: 100 streams, header list 16 KiB, body per route, resets and control frames rate-limited, memory per connection.
 * The session owns it; h2pipe_free tells every open exchange on_gone / gone. */
#ifndef H2PIPE_H
#define H2PIPE_H

#include "buffer.h"
#include "dispatch.h"

struct h2pipe;

struct h2pipe_config {
	struct loop *loop;
	const struct route *table;
	enum door door;
	void *program, *owner; /* into each exchange */
	struct endpoint peer;
	struct bytes host; /* of the connection that carries it; lives as long as the h2pipe */
	bool secure;
	const struct machine_key *machine; /* lives as long as the h2pipe */
	uint16_t capver;
	/* There may be something to take: at most once per turn, deferred by the user as it likes. */
	void (*on_output)(void *context);
	void *context;
};

struct h2pipe *h2pipe_new(const struct h2pipe_config *config); /* SETTINGS are ready to take at once */
void h2pipe_free(struct h2pipe **h2);
/* ERR_MALFORMED or ERR_TOO_BIG: a protocol breach; take what is left (GOAWAY), then end the connection. ERR_CLOSED: the peer said goodbye and nothing is open. */
MUST_USE enum err h2pipe_feed(struct h2pipe *h2, struct bytes in);
/* Appends at most about `want` bytes of output; ERR_NONE also when there was none. */
MUST_USE enum err h2pipe_take(struct h2pipe *h2, size_t want, struct buffer *out);
/* GOAWAY(NO_ERROR); streams are their owners' to end. True from h2pipe_idle when all ended and all output was taken. */
void h2pipe_drain(struct h2pipe *h2);
bool h2pipe_idle(const struct h2pipe *h2);
/* The last word was taken (a GOAWAY after which nothing goes on): end the connection once it has left. */
bool h2pipe_over(const struct h2pipe *h2);
size_t h2pipe_streams(const struct h2pipe *h2);

#endif
