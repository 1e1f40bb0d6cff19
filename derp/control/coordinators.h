/* The coordinators that a relay may ask, and which one answered last.
 * Not a client of theirs: announce.h and verify.h ask.
 * Filled once before the threads start; afterwards only `preferred` moves, from any thread. */
#ifndef COORDINATORS_H
#define COORDINATORS_H

#include <stdatomic.h>

#include "buffer.h"

enum { COORDINATORS_MAX = 16 };

struct answerkeys;

struct coordinators {
	char *url[COORDINATORS_MAX]; /* without a slash at the end */
	unsigned count;
	atomic_uint preferred;
	struct answerkeys *keys; /* whose answers are believed; NULL: all. Not owned */
};

/* Comma-separated http:// and https:// URLs; at least one. */
MUST_USE enum err coordinators_parse(struct bytes text, struct coordinators *c, struct diag *why);
void coordinators_clear(struct coordinators *c);
/* The one to ask first. */
unsigned coordinators_first(const struct coordinators *c);
/* The one after `index`, round and round. */
unsigned coordinators_next(const struct coordinators *c, unsigned index);
/* `index` did not answer: whoever asks next begins with the one after it. */
void coordinators_failed(struct coordinators *c, unsigned index);
/* URL of `path` at one of them; ended by free. */
char *coordinators_url(const struct coordinators *c, unsigned index, const char *path);

#endif
