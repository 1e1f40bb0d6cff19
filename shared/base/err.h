/* Error codes for programs and a place to tell people the reason.
 * Not a log: an error travels up until somebody can answer for it.
 * Codes are values; a struct diag is owned by the caller that asks for reasons. */
#ifndef ERR_H
#define ERR_H

#include "mem.h"

enum err {
	ERR_NONE,
	ERR_AGAIN,           /* not enough bytes yet, or would block */
	ERR_MALFORMED,       /* the input breaks its format */
	ERR_TOO_BIG,         /* a cap was reached; nothing was changed */
	ERR_NOT_FOUND,       /* the named thing is not there */
	ERR_EXISTS,          /* the named thing is already there */
	ERR_CONFLICT,        /* it changed since it was read, or contradicts what is there */
	ERR_DENIED,          /* known, but not allowed */
	ERR_UNAUTHENTICATED, /* no credential, or one that is not good */
	ERR_EXHAUSTED,       /* a range, a quota or a key is used up */
	ERR_UNSUPPORTED,     /* a version or a feature that we do not speak */
	ERR_CRYPTO,          /* authentication of bytes failed */
	ERR_NO_HISTORY,      /* the journal or ring does not reach back so far */
	ERR_UNAVAILABLE,     /* PostgreSQL, Redis or another process is not reachable now */
	ERR_TIMEOUT,
	ERR_CLOSED,   /* the other side ended the conversation */
	ERR_CANCELED, /* the task that asked has ended */
	ERR_IO,       /* the operating system refused; errno tells */
	ERR_BUG,      /* what must not happen did */
	ERR_COUNT
};

/* A short English name, such as "not found"; never NULL. */
const char *err_text(enum err e);

enum { DIAG_TEXT_MAX = 512 };

/* Why something was refused, for people. Position is 1-based, 0 where there is none. */
struct diag {
	char text[DIAG_TEXT_MAX];
	unsigned line, column;
};

/* Writes the reason and returns `e`, so that a refusal is one line: return diag_set(why, ERR_MALFORMED, "...").
 * `why` may be NULL. Text past the cap is cut. */
enum err diag_set(struct diag *why, enum err e, const char *format, ...) PRINTF(3, 4);

#endif
