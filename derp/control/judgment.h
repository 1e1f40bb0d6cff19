/* What an answer to the question whether a node key may connect says: that of a coordinator, and that of the judge at verify.url.
 * Not the asking (verify.h) and not the memory (verdicts.h). Pure.
 * Wire: docs/protocol/derp.md, admission; the judge's is that of the stock relay's -verify-client-url, cmd/derper and derp/derpserver of 1.102.5. */
#ifndef JUDGMENT_H
#define JUDGMENT_H

#include "bytes.h"
#include "err.h"
#include "limit.h"

enum { JUDGMENT_MAX = 4096 }; /* bytes of an answer; a longer one refuses */

enum judgment {
	JUDGMENT_NONE,   /* nobody answered */
	JUDGMENT_DENIED, /* an answer, but not about the key: refused, and not remembered */
	JUDGMENT_REFUSED,
	JUDGMENT_ALLOWED,
};

/* Where a key belongs that is allowed: a number of the coordinators', opaque here, and what that tailnet's clients together may send if it has a rate of its own. */
struct standing {
	uint64_t tailnet; /* 0: not told */
	struct rate rate; /* per_second 0: none of its own */
};

/* A coordinator that has trouble of its own has not answered; that our token is not good is no answer about the key. */
enum judgment judgment_of_coordinator(enum err e, unsigned status, struct bytes body);
/* Of an answer of a coordinator that allows; members of a wrong type are as absent. */
struct standing judgment_standing(struct bytes body);
/* Whatever it answers but 200 refuses. */
enum judgment judgment_of_url(enum err e, unsigned status, struct bytes body);

#endif
