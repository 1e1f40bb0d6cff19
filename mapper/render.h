/* Messages of a map stream as bytes: the full map in pieces, of which most are shared; a delta in one body; both encoded as the class wants it.
 * Not what to say (delta.h) and not framing or sending (stream.h, link).
 * A renderer is one per loop: scratch memory and nothing else. Source: docs/protocol/map.md (tailscale tailcfg MapResponse; control.md 5.3 to 5.9). */
#ifndef RENDER_H
#define RENDER_H

#include "chunk.h"
#include "delta.h"

struct piece {
	struct body *body;                      /* a reference of its own */
	bool shared;
	uint8_t name[LINK_CHUNK_NAME_LEN];      /* when shared */
};

struct pieces {
	struct piece *list;
	size_t count, room;
};

struct render {
	struct buffer text, packed, entries;
};

void render_init(struct render *r);
void render_clear(struct render *r);

void pieces_clear(struct pieces *p);            /* drops the bodies, keeps the memory */
void pieces_end(struct pieces *p);

/* The first frame of a stream of the node in `slot`. `p` is emptied first. ERR_TOO_BIG: more than a frame may hold. */
MUST_USE enum err render_full(struct render *r, const struct snapshot *s, struct chunk_cache *chunks, struct class class, uint32_t slot, bool omit_peers,
			      struct wall now, struct pieces *p);
/* One delta, encoded. `viewer` is left out of it, and told of itself when it moved; SLOT_NONE for those who did not move.
 * Valid until the next call; empty: nothing to say. */
MUST_USE enum err render_delta(struct render *r, const struct snapshot *s, const struct delta *d, struct class class, uint32_t viewer, struct bytes *body);
/* To a node whose row is gone, before its stream ends. */
MUST_USE enum err render_farewell(struct render *r, const struct snapshot *s, const struct node *ghost, bool zstd, struct bytes *body);

#endif
