/* Requests that a server puts to a client over its map stream: HTTP/1.1 as text, and the text of the answer.
 * Not their transport (coordinator/ask.h) and not a general HTTP parser: one answer, whole in memory.
 * What is decoded lives in the caller's arena. Source: docs/protocol/ping.md (tailscale ipn/ipnlocal/c2n.go). */
#ifndef C2N_H
#define C2N_H

#include "arena.h"
#include "buffer.h"
#include "err.h"

enum { C2N_PATH_MAX = 512, C2N_BODY_MAX = 64 << 10, C2N_ANSWER_MAX = 1 << 20 };

/* Appends the request. `path` with its query; a path that is not one line of printable ASCII beginning with a slash is ERR_MALFORMED. */
MUST_USE enum err c2n_encode(const char *method, struct bytes path, struct bytes body, int64_t timeout_ms, struct buffer *out);

struct c2n_answer {
	unsigned status;
	struct bytes type; /* Content-Type, or empty */
	struct bytes body; /* of any form: by length, in chunks, to the end */
};

/* ERR_MALFORMED for what is not one whole HTTP/1.x answer. */
MUST_USE enum err c2n_decode(struct bytes text, struct arena *arena, struct c2n_answer *answer);

#endif
