/* Values of a policy inside the sentences that refuse it, in double quotes as Go's %q writes them.
 * Not JSON, and not for machines: long values are cut, at the end of a character.
 * Texts live in the arena. */
#ifndef QUOTE_H
#define QUOTE_H

#include "arena.h"

enum { QUOTE_MAX = 200 }; /* bytes of a value that a sentence shows */

const char *quote(struct arena *arena, struct bytes text);
/* At most `max` bytes of it, whole characters. */
struct bytes quote_cut(struct bytes text, size_t max);

#endif
