/* A full map on its way to one subscription: its pieces, of which some may still be missing.
 * Not the cache (chunks.h) and not the asking (dial.c).
 * Holds one reference of each piece that is there; hold_free ends it. */
#ifndef HOLD_H
#define HOLD_H

#include "chunks.h"
#include "linkframe.h"

struct held_piece {
	struct body *body; /* NULL: missing */
	uint8_t name[LINK_CHUNK_NAME_LEN];
};

struct hold {
	uint64_t version;
	size_t count, missing;
	struct held_piece piece[];
};

struct hold *hold_new(const struct linkframe *full, struct chunks *cache);
void hold_free(struct hold **hold);
bool hold_misses(const struct hold *hold, const uint8_t name[static LINK_CHUNK_NAME_LEN]);
/* Fills in every piece of that name; true when the map is whole now. */
bool hold_fill(struct hold *hold, const uint8_t name[static LINK_CHUNK_NAME_LEN], struct body *body);

#endif
