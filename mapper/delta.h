/* (view and version that a stream was told) against now -> the least that must be said. Pure; once per class and version, not per stream.
 * Not bytes (render.h). The viewer is left out by render, not here.
 * A delta owns its arrays and is used again and again: delta_init once, delta_compute often, delta_clear at the end. */
#ifndef DELTA_H
#define DELTA_H

#include "class.h"
#include "sections.h"

/* A visible peer of which something must be said: all of it (`whole`), or the facets that moved. */
struct delta_peer {
	uint32_t slot;
	uint16_t facets; /* enum facet */
	bool whole;
	bool added; /* was not visible: its owner's profile goes along */
};

struct delta_gone {
	uint32_t slot;
	uint64_t id;
};

struct delta {
	struct delta_peer *peers; /* by slot */
	struct delta_gone *gone;  /* by slot; never a slot that stands in peers */
	size_t peer_count, gone_count;
	size_t peer_room, gone_room;
	unsigned sections;   /* enum section: moved as a whole */
	struct bitset moved; /* slots of which anything moved, visible or not, or is said: who stands here needs a look of its own */
	uint16_t *facets;    /* of moved slots; what else lies in it means nothing */
	size_t facet_room;
	uint64_t since;        /* version told; 0: nothing */
	struct bitset reshown; /* visible as before, but with other routes or addresses */
	struct bitset was;     /* scratch */
};

void delta_init(struct delta *d);
void delta_clear(struct delta *d);
/* What a stream of view `told` at `version` must hear to stand at the snapshot's present version in view `now`.
 * Version 0 is a stream that was told nothing: every visible peer is added and every section moved, which is the full map.
 * ERR_NO_HISTORY: the ring or the view does not reach back so far. */
MUST_USE enum err delta_compute(struct delta *d, const struct snapshot *s, const struct view *told, uint64_t version, const struct view *now);

static inline bool delta_moved(const struct delta *d, uint32_t slot)
{
	return bitset_has(&d->moved, slot);
}

static inline unsigned delta_facets(const struct delta *d, uint32_t slot)
{
	return delta_moved(d, slot) ? d->facets[slot] : 0;
}

#endif
