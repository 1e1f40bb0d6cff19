/* Which slots moved in some respect, by version: a short history, bounded; the oldest lines go first.
 * Not the ring of facets (ring.h): what lies here is seen by some and not by others.
 * Embedded in its owner; moves_clear frees. */
#ifndef MOVES_H
#define MOVES_H

#include "bitset.h"

struct move {
	uint64_t version;
	uint32_t slot;
};

struct moves {
	struct move *list; /* oldest first */
	size_t count, room;
	uint64_t oldest; /* a reader that stands at `oldest` or later misses nothing */
};

void moves_clear(struct moves *m);
void moves_push(struct moves *m, size_t most, uint64_t version, uint32_t slot);
/* Slots that moved after `version` are added. False: the history does not reach back. */
bool moves_since(const struct moves *m, uint64_t version, struct bitset *slots);

#endif
