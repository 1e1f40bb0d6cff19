/* Answers to the questions that authorities ask on port 80 (ACME, HTTP-01): small files that a client of theirs puts into a folder of ours.
 * Not a file server: names of the token alphabet alone, in one folder, plain files that nobody else can point elsewhere; and not an ACME client.
 * Nothing is kept open. Source: RFC 8555, 8.3. */
#ifndef WEBROOT_H
#define WEBROOT_H

#include "buffer.h"

enum { WEBROOT_TOKEN_MAX = 128, WEBROOT_ANSWER_MAX = 1024 };

/* Reads ROOT/.well-known/acme-challenge/TOKEN to the end of `out`. ERR_NOT_FOUND: no token, no such file, not a plain one, or a larger one. */
MUST_USE enum err webroot_read(const char *root, struct bytes token, struct buffer *out);

#endif
