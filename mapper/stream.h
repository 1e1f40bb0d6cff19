/* One subscriber: the class and version that it was told, its credit, and the slot of its node.
 * Not a queue: what it has not heard yet is computed when it can be sent (delta.h).
 * The keeper owns it, from on_open to on_close of its gate stream. */
#ifndef STREAM_H
#define STREAM_H

#include "class.h"
#include "gate.h"
#include "list.h"

struct stream {
	struct list link; /* in its keeper */
	struct gate_stream *gate;
	struct class class;  /* as it was told; the view is NULL before the first map */
	uint32_t slot;       /* SLOT_NONE until its node was found */
	uint64_t version;    /* told; 0: nothing yet */
	uint64_t view_since; /* version at which class.view became its view */
	uint64_t after;      /* number of the reading that must have come in before the first map */
	bool ended;          /* gate_end was called: nothing more is sent */
};

struct stream *stream_new(struct gate_stream *gate, uint64_t after);
void stream_free(struct stream **stream);
void stream_end(struct stream *s, enum link_end reason); /* once; on_close follows */
/* It was told `version` in `class`. */
void stream_told(struct stream *s, struct class class, uint64_t version);
/* The coordinator says that it stands at an earlier version. */
void stream_stands(struct stream *s, uint64_t version);
/* The class of its node now. */
struct class stream_class(const struct stream *s, const struct views *views, const struct snapshot *snapshot);

#endif
