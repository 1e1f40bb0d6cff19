/* Percent-encoding of URLs.
 * Not a URL parser.
 * Decoded bytes live in the arena given. */
#ifndef PERCENT_H
#define PERCENT_H

#include "arena.h"
#include "err.h"

/* ERR_MALFORMED for a broken escape, and for a NUL. In queries '+' is a space. */
MUST_USE enum err percent_decode(struct arena *arena, struct bytes text, bool query, struct bytes *decoded);

#endif
