/* Whether a document can be compiled for a roll in bounded memory and time, counted before it is done: the caps of document.h bound a text, these what it becomes
 * among many nodes. Pure.
 * An upper bound, linear in document and roll; not what compiling takes in truth, which is mostly far less. */
#ifndef AFFORD_H
#define AFFORD_H

#include "err.h"
#include "roll.h"

#define AFFORD_BYTES ((uint64_t)4 << 30)
enum {
	AFFORD_UNITS = 1000000, /* rules by protocol; one with autogroup:self counts for each user that has nodes */
	AFFORD_GROWN = 2        /* a policy in force may become so many times as large, as nodes join */
};

struct afford {
	uint64_t units, bytes;
};

/* ERR_TOO_BIG past `times` the caps, with a sentence and the rule at which they are reached. `cost` may be NULL. */
MUST_USE enum err afford_check(const struct document *document, const struct roll *roll, unsigned times, struct afford *cost, struct diag *why);

#endif
