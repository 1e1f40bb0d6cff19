/* A delta as bytes: one body for all who did not move themselves, one for each who did, made without it. Pure.
 * Not what to say (delta.h), not first frames (fullmap.h), not framing or sending (deliver.h).
 * Every entry is rendered once per delta and form; a mover's body is joined from runs of entries that are compressed once, each an own zstd frame,
 * and only the run that holds the mover is made anew. A struct render is one per loop: scratch memory and nothing else.
 * Source: docs/protocol/map.md (tailscale tailcfg MapResponse). */
#ifndef RENDER_H
#define RENDER_H

#include "delta.h"

enum { RENDER_RUN = 64 }; /* entries of a run: larger ones compress a few percent better and cost each mover more */

struct render_entry {
	uint32_t slot;
	size_t at, end; /* in text, without the comma that follows */
};

struct render_run {
	size_t at, len; /* in packed; len 0: not made yet */
};

/* The entries of one member of the message, by slot. */
struct render_list {
	const char *name;
	struct render_entry *entries;
	size_t count, room;
	struct buffer text, packed;
	struct render_run *runs;
	size_t run_room;
};

struct render {
	const struct snapshot *snapshot;
	const struct delta *delta;
	struct class class;
	struct render_list changed, patches;
	struct buffer profiles; /* the member, or empty */
	uint64_t *owners;       /* scratch */
	size_t owner_room;
	struct buffer text, packed; /* the body that is being made */
};

void render_init(struct render *r);
void render_clear(struct render *r);

/* The delta of a class; it and the snapshot stay the caller's and must not change until the last body was made. */
MUST_USE enum err render_start(struct render *r, const struct snapshot *s, const struct delta *d, struct class class);
/* `viewer` is left out, and told of itself when it or its rules moved (rules_look comes before); SLOT_NONE for those who did not. Valid until the next call; empty: nothing to say. */
MUST_USE enum err render_body(struct render *r, uint32_t viewer, struct bytes *body);
/* To a node whose row is gone, before its stream ends. */
MUST_USE enum err render_farewell(struct render *r, const struct snapshot *s, const struct node *ghost, bool zstd, struct bytes *body);

#endif
