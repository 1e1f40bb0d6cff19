#include "ring.h"

#include <assert.h>
#include <stdlib.h>

#include "mem.h"

enum { ROOM_LEAST = 16 };

void ring_init(struct ring *r, size_t cap)
{
	assert(cap);
	*r = (struct ring){.cap = cap};
}

void ring_clear(struct ring *r)
{
	free(r->entries);
	ring_init(r, r->cap);
}

void ring_restart(struct ring *r, uint64_t version)
{
	r->first = r->count = 0;
	r->oldest = version;
}

static void grow(struct ring *r)
{
	size_t room = r->room ? r->room * 2 : ROOM_LEAST;
	struct ring_entry *entries = x_alloc(room * sizeof *entries);
	for (size_t i = 0; i < r->count; i++)
		entries[i] = *ring_at(r, i);
	free(r->entries);
	r->entries = entries;
	r->room = room;
	r->first = 0;
}

static void drop_oldest(struct ring *r)
{
	r->oldest = ring_at(r, 0)->version;
	r->first = (r->first + 1) & (r->room - 1);
	r->count--;
}

void ring_push(struct ring *r, uint64_t version, uint32_t slot, uint32_t facets)
{
	assert(!r->count || ring_at(r, r->count - 1)->version <= version);
	if (r->count >= r->cap)
		drop_oldest(r);
	if (r->count == r->room)
		grow(r);
	r->entries[(r->first + r->count++) & (r->room - 1)] = (struct ring_entry){version, slot, facets};
}
