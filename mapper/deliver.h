/* One tick's delivery: every stream of a tailnet that has credit and stands behind is brought to the present version.
 * Streams that stand alike get the same bytes: computed once, rendered once per class, sent in one call.
 * Not when (keeper.h) and not what (delta.h). A struct deliver is one per loop: scratch memory and nothing else. */
#ifndef DELIVER_H
#define DELIVER_H

#include "fullmap.h"
#include "render.h"
#include "stream.h"

/* Streams that were told the same and are to be told the same. */
struct delivery {
	struct view *told;
	uint64_t version;
	struct class class;
	struct stream **streams;
	size_t count, room;
};

struct deliver {
	struct fullmap fullmap;
	struct render render;
	struct delta delta;
	struct delivery *groups;
	size_t group_count, group_room;
	uint32_t *index; /* groups by hash: number + 1; room is a power of two, at least twice the groups */
	size_t index_room;
	struct gate_stream **gates;
	struct gate_piece *gate_pieces;
	size_t gate_room, gate_piece_room;
	size_t frames; /* of this tick */
};

void deliver_init(struct deliver *d);
void deliver_clear(struct deliver *d);

enum {
	DELIVER_FIRST_US = 50000,    /* first maps of one tick take so long: a storm must not keep the loop from its heartbeats (2 s) */
	DELIVER_UNSENT_MAX = 8 << 20 /* a coordinator with more waiting is left alone: a few hundred first maps, an eighth of what the link holds */
};

struct delivered {
	size_t unsent; /* bytes waiting at the busiest coordinator */
	size_t frames; /* deltas sent */
	bool left;     /* not all could be told now: come again soon */
};

/* The streams of a tailnet (struct stream by `link`), its snapshot closed and its views at the same version.
 * First maps always; deltas only with `deltas`. Streams whose history has ended, whose node is gone or who wanted one frame are ended. */
struct delivered deliver_tick(struct deliver *d, struct gate *gate, const struct snapshot *s, const struct views *views, struct chunk_cache *chunks,
			      struct list *streams, bool deltas, struct wall now);

#endif
