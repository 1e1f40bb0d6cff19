/* What h2pipe.c and h2stream.c share: the session of one connection, and its streams as exchanges.
 * Not for other modules.
 * A stream frees itself at the end of the turn in which it is both closed and answered. */
#ifndef H2STREAM_H
#define H2STREAM_H

#include <nghttp2/nghttp2.h>

#include "h2pipe.h"

struct h2field {
	struct h2field *next;
	struct bytes name, value;
};

/* Bodies of which [at, len) is still to be copied into frames. */
struct h2piece {
	struct h2piece *next;
	struct body *body;
	size_t at;
};

struct h2stream {
	struct exchange x;
	struct h2pipe *h2; /* NULL when the h2pipe is gone */
	int32_t id;
	struct list link;
	int64_t begun_ms;
	size_t header_size;
	struct h2field *fields, **fields_end, *reply_fields, **reply_fields_end;
	struct buffer body;
	size_t body_max;
	struct h2piece *pieces, **pieces_end;
	const struct exchange_events *events;
	void *context;
	struct defer dispatching, telling, ending;
	bool header_too_big, complete, begun_handler, streaming, end_wanted, closed, deferred, told_gone;
};

struct h2pipe {
	struct h2pipe_config config;
	nghttp2_session *session;
	struct list streams;
	size_t open, known; /* not closed; in the list */
	size_t bodies_held, replies_held;
	struct timer slow;
	struct defer output;
	struct buffer carry; /* a frame that did not fit its taker */
	int64_t second;
	unsigned resets, controls;
	bool draining, peer_goaway, broken;
};

struct h2stream *h2stream_new(struct h2pipe *h2, int32_t id);
/* nghttp2 has closed it: ended, or reset by one of the two. */
void h2stream_closed(struct h2stream *s);
/* The whole connection ends. */
void h2stream_cut(struct h2stream *s);
/* An answer of our own, before any handler: what else comes on the stream is thrown away. */
void h2stream_refuse(struct h2stream *s, unsigned status, const char *text);
void h2stream_reset(struct h2stream *s, uint32_t code);
/* Keeps a request header; the text is copied. */
void h2stream_add_field(struct h2stream *s, struct bytes name, struct bytes value);
/* There may be something to take. */
void h2pipe_note_output(struct h2pipe *h2);

#endif
