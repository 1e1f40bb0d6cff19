/* Which connections of one loop were sent packets from which keys, so that they can be told when such a key leaves.
 * Not the directory: sources may live on any loop. Bounded per connection: past the cap its oldest memory is forgotten.
 * Hearers are embedded in their connections and forgotten before those end. Source: docs/protocol/derp.md, PeerGone. */
#ifndef HEARD_H
#define HEARD_H

#include "key.h"
#include "list.h"
#include "table.h"

enum { HEARD_MAX = 8192 }; /* sources remembered per connection: about 250 bytes each; the largest tailnets have more, but not all send at once */

struct heard;

struct hearer {
	struct list sources;
	unsigned count;
	uint64_t id;          /* unique among the hearers of one loop */
	struct node_key last; /* the source noted last: most packets come in runs */
};

struct heard *heard_new(void);
void heard_free(struct heard **heard); /* must be empty of hearers */
void hearer_init(struct hearer *hearer, uint64_t id);

/* A packet from `source` goes to `hearer`. */
void heard_note(struct heard *heard, struct hearer *hearer, const struct node_key *source);
/* `source` has left: calls on_gone for each connection that heard it, once, and forgets it. */
void heard_gone(struct heard *heard, const struct node_key *source, void (*on_gone)(struct hearer *hearer, const struct node_key *source));
/* The connection ends. */
void heard_forget(struct heard *heard, struct hearer *hearer);

#endif
