/* Arrays of texts as PostgreSQL writes them: {plain,"with \"quotes\""}.
 * Not nested ones. Private to store.
 * What is made lives in the caller's arena. */
#ifndef PGARRAY_H
#define PGARRAY_H

#include "arena.h"

const char *pgarray_format(struct arena *arena, const struct bytes *values, size_t count);
/* How many; NULL members become empty. What is no array gives none. */
size_t pgarray_parse(struct bytes text, struct arena *arena, struct bytes **out);

#endif
