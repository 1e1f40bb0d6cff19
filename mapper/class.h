/* Classes: nodes that see the same things the same way. A view is a row of visible slots and the routes shown of them, with its history; a class is a view, a
 * band of client versions and an encoding. Pure.
 * Not what a stream was told (stream.h) and not bytes (render.h).
 * The keeper owns the views; rows are borrowed until the next views_follow, a view by streams while they hold it.
 *
 * While a tailnet has no policy there are two views: every approved node sees every approved node; the others see nobody, as does everybody in a
 * suspended tailnet, or when the policy cannot be read. With a policy there is one for each sight (policy/visible.h), and for each of those again one of nodes
 * without IPv4; a view goes on as that of the sight that most of its nodes have next. */
#ifndef CLASS_H
#define CLASS_H

#include "rules.h"
#include "visible.h"

/* A word of a row as it was before `version`. */
struct undo {
	uint64_t version, before;
	uint32_t word;
};

struct view {
	struct rules *rules;
	bool open;         /* no policy: of a peer all routes that it serves are shown */
	bool ip6_only;     /* peers show their IPv6 alone */
	struct bitset row; /* visible slots now */
	struct undo *undo; /* oldest first */
	size_t undo_count, undo_room;
	uint64_t oldest;              /* rows can be told back to this version */
	struct sight_router *routers; /* by slot, in one block; unless open */
	size_t router_count;
	struct moves rerouted;     /* other routes are shown of a slot */
	unsigned holders;          /* streams that were told it */
	bool used;                 /* some node has it */
	const struct sight *sight; /* of the policy, while it is used; unless open */
};

struct views {
	struct rules *rules;
	struct view *nobody, *everybody; /* always there; everybody stands still while there is a policy */
	uint64_t open_at;                /* version at which everybody stands */
	struct view **list;              /* by policy */
	size_t count, room;
	struct view **of; /* by slot, while there is a policy */
	uint32_t of_count;
	uint64_t version; /* the rows stand at this version of the snapshot */
	size_t history;   /* most undo lines of a view */
};

void views_init(struct views *v, size_t history);
void views_clear(struct views *v);
/* Brings rules and rows to the snapshot's present version. */
void views_follow(struct views *v, const struct snapshot *s);
/* Ends those that neither node nor stream has. */
void views_tidy(struct views *v);
/* The view of the node in that slot; a slot without a node sees nobody. */
struct view *view_of(const struct views *v, const struct snapshot *s, uint32_t slot);
/* The row as it stood at `version`; version 0: empty. ERR_NO_HISTORY when it is not known any more. */
MUST_USE enum err view_at(const struct view *view, uint64_t version, struct bitset *row);
/* Adds to `slots` those that `now` may show otherwise than `told` did at `version`, though nothing of the node itself moved. ERR_NO_HISTORY. */
MUST_USE enum err view_reshown(const struct view *told, uint64_t version, const struct view *now, const struct snapshot *s, struct bitset *slots);

/* How the view shows a peer's routes; NULL: none, unless it is open. */
const struct sight_router *view_router(const struct view *view, uint32_t slot);
static inline bool view_shows_ip4(const struct view *view, uint32_t slot)
{
	return !view->ip6_only && !bitset_has(&view->rules->no_ip4, slot);
}
/* What the view decides of the peers of a segment, besides which are shown: equal numbers, equal bytes. */
uint64_t view_form(const struct view *view, uint32_t segment, uint64_t mask);

/* What decides the bytes of a body. */
struct class
{
	struct view *view;
	uint16_t band; /* capver_band */
	bool zstd;
};

static inline bool class_equal(struct class a, struct class b)
{
	return a.view == b.view && a.band == b.band && a.zstd == b.zstd;
}

#endif
