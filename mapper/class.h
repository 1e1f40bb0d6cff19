/* Classes: nodes that see the same things the same way. A view is a row of visible slots with its history; a class is a view, a band of client
 * versions and an encoding. Pure.
 * Not what a stream was told (stream.h) and not bytes (render.h).
 * The keeper owns the views; rows are borrowed until the next views_follow.
 *
 * While a tailnet has no policy there are two views: every approved node sees every approved node; the others see nobody, as does everybody in a
 * suspended tailnet. */
#ifndef CLASS_H
#define CLASS_H

#include "bitset.h"
#include "snapshot.h"

enum view_kind {
	VIEW_NOBODY,    /* not approved, or suspended */
	VIEW_EVERYBODY, /* approved */
	VIEW_COUNT
};

/* A word of a row as it was before `version`. */
struct undo {
	uint64_t version, before;
	uint32_t word;
};

struct view {
	enum view_kind kind;
	struct bitset row; /* visible slots now */
	struct undo *undo; /* oldest first */
	size_t undo_count, undo_room;
	uint64_t oldest; /* rows can be told back to this version */
};

struct views {
	struct view of[VIEW_COUNT];
	uint64_t version; /* the rows stand at this version of the snapshot */
	size_t history;   /* most undo lines of a view */
};

void views_init(struct views *v, size_t history);
void views_clear(struct views *v);
/* Brings the rows to the snapshot's present version. */
void views_follow(struct views *v, const struct snapshot *s);
/* The view of the node in that slot; a slot without a node sees nobody. */
const struct view *view_of(const struct views *v, const struct snapshot *s, uint32_t slot);
/* The row as it stood at `version`; version 0: empty. ERR_NO_HISTORY when it is not known any more. */
MUST_USE enum err view_at(const struct view *view, uint64_t version, struct bitset *row);

/* What decides the bytes of a body. */
struct class
{
	const struct view *view;
	uint16_t band; /* capver_band */
	bool zstd;
};

static inline bool class_equal(struct class a, struct class b)
{
	return a.view == b.view && a.band == b.band && a.zstd == b.zstd;
}

#endif
