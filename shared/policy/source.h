/* Sources of filter rules from what their aliases mean; equal lists are one source.
 * Not destinations (policy.c, filter.c). Private to the module; sources live in the arena of the policy.
 * Source: docs/protocol/policy.md, section 8.2. */
#ifndef SOURCE_H
#define SOURCE_H

#include "resolve.h"

/* `list` is sorted by number in place, and what it holds twice is dropped. */
struct source *source_make(struct resolver *r, struct known **list, size_t count);
/* Fills texts when they are not there. */
void source_texts(struct resolver *r, const struct source *source);

#endif
