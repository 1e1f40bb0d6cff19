/* Outgoing HTTP requests from a loop (libcurl inside): verify questions, announcements, webhooks.
 * Not for clients of ours. Caps: 1 MiB answer, timeout, TLS verified unless the caller says otherwise by option.
 * An answer comes exactly once, never before fetch_start returned. */
#ifndef FETCH_H
#define FETCH_H

#include "buffer.h"
#include "loop.h"

struct fetcher; /* one per loop: connections are kept and reused */
struct fetcher *fetcher_new(struct loop *loop);
void fetcher_free(struct fetcher **fetcher); /* answers what is open with ERR_CANCELED first */

struct fetch_request {
	const char *method, *url; /* copied */
	const char *bearer;       /* NULL: none */
	const char *unix_socket;  /* path, or NULL */
	const char *content_type; /* NULL: application/json when there is a body; "": none is said */
	struct bytes body;        /* copied */
	const char *header;       /* one more header line, or NULL */
	int64_t timeout_ms;
	bool unsafe_skip_tls_verify;
};
/* e != ERR_NONE: no answer (ERR_UNAVAILABLE, ERR_TIMEOUT, ERR_TOO_BIG, ERR_CANCELED); `body` is borrowed. */
typedef void (*fetch_fn)(void *context, enum err e, unsigned status, struct bytes body);
/* Inside on_answer: a header of that answer, or NULL. */
const char *fetch_header(const struct fetcher *fetcher, const char *name);
void fetch_start(struct fetcher *fetcher, const struct fetch_request *request, fetch_fn on_answer, void *context);

#endif
