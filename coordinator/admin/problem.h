/* Answers of the admin doors: JSON with the security headers, and problems (RFC 9457) in headscale's shape with a `message` copy for older clients.
 * Not the meaning of errors: that is decided where they arise. Source: docs/protocol/admin.md (headscale 0.30 API v1). */
#ifndef PROBLEM_H
#define PROBLEM_H

#include "exchange.h"
#include "jsonw.h"

/* detail: what was being done ("getting node"); message: the cause; location: "body.user" or NULL. */
void problem_reply(struct exchange *x, unsigned status, const char *detail, const char *message, const char *location);
/* The same with the status that an error code has on these doors. why may be NULL. */
void problem_reply_err(struct exchange *x, enum err e, const char *detail, const struct diag *why);
/* 400 with one sentence and several causes, each with its place. */
struct problem_cause {
	const char *message, *location;
};
void problem_reply_causes(struct exchange *x, const char *detail, const char *message, const struct problem_cause *causes, size_t count);
void admin_reply(struct exchange *x, struct bytes json);     /* 200 */
void admin_reply_empty(struct exchange *x, unsigned status); /* without a body: 304 */
/* What every answer of these doors carries, whatever it is; before the reply. */
void admin_add_headers(struct exchange *x);
/* The path for logs and audits, shortened, without what may be a secret: whoever gives a whole key where its prefix is meant must not publish it. */
struct bytes admin_path_shown(const struct exchange *x);
/* For paths that no route has (dispatch_refuse). */
void admin_refuse(struct exchange *x);

/* A 200 that is one JSON object: start, write its members, send. */
struct answer {
	struct buffer out;
	struct jsonw w;
};
void answer_start(struct answer *a);
void answer_send(struct answer *a, struct exchange *x, const char *detail);

#endif
