/* The first frame of a stream in pieces: a private head, shared chunks of profiles and peers, and a private end with the viewer's own segment made
 * without it. Pure.
 * Not deltas (render.h), not sending (deliver.h). Each piece is an own zstd frame, or plain text.
 * Pieces hold a reference of each body until pieces_clear. Source: docs/protocol/map.md (tailscale tailcfg MapResponse). */
#ifndef FULLMAP_H
#define FULLMAP_H

#include "chunk.h"
#include "class.h"

struct piece {
	struct body *body; /* a reference of its own */
	bool shared;
	uint8_t name[LINK_CHUNK_NAME_LEN]; /* when shared */
};

struct pieces {
	struct piece *list;
	size_t count, room;
};

void pieces_clear(struct pieces *p); /* drops the bodies, keeps the memory */
void pieces_end(struct pieces *p);

struct fullmap {
	struct buffer text, packed; /* scratch */
	struct pieces pieces;       /* of the last one rendered */
};

void fullmap_init(struct fullmap *f);
void fullmap_clear(struct fullmap *f);
/* The map of the node in `slot`, as of the snapshot's present version, in f->pieces. ERR_TOO_BIG: more than a frame may hold. */
MUST_USE enum err fullmap_render(struct fullmap *f, const struct snapshot *s, struct chunk_cache *chunks, struct class class, uint32_t slot, bool omit_peers,
				 struct wall now);

#endif
