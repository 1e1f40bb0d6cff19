/* What moved in the last versions: {version, node slot, facets}, newest last, bounded; the oldest entries go first.
 * Not the rows themselves (snapshot.h) and not who sees whom (class.h keeps its own undo lines).
 * Embedded in its owner; ring_clear frees. */
#ifndef RING_H
#define RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ring_entry {
	uint64_t version;
	uint32_t slot;
	uint32_t facets;
};

struct ring {
	struct ring_entry *entries; /* room is a power of two */
	size_t first, count, room;
	size_t cap;      /* most entries ever kept */
	uint64_t oldest; /* a reader that stands at `oldest` or later misses nothing */
};

void ring_init(struct ring *r, size_t cap);
void ring_clear(struct ring *r);
/* Forgets all; readers that stand before `version` have no history. */
void ring_restart(struct ring *r, uint64_t version);
/* Appends; versions never decrease. A slot that moves twice in one version may stand twice. */
void ring_push(struct ring *r, uint64_t version, uint32_t slot, uint32_t facets);

static inline const struct ring_entry *ring_at(const struct ring *r, size_t n)
{
	return &r->entries[(r->first + n) & (r->room - 1)];
}
static inline bool ring_reaches(const struct ring *r, uint64_t version)
{
	return version >= r->oldest;
}

/* Entries younger than `version_`, newest first. */
#define RING_EACH(ring_, entry, version_) \
	for (size_t left_ = (ring_)->count; left_ && ring_at(ring_, left_ - 1)->version > (version_); left_--) \
		for (const struct ring_entry *entry = ring_at(ring_, left_ - 1); entry; entry = NULL)

#endif
