/* One link that a shard dials to a sibling: proven by a mesh key, kept, dialed again; packets go out by it, news of keys come in.
 * Not which siblings there are (siblings.h) and not who has which key (mesh.h). When the region has another key, a second link by that one is made beside the first,
 * and takes over once it knows as much.
 * In its shard's mesh, which has all of them; freed at the end of the turn in which it ends. For siblings.c alone. Source: docs/protocol/derp.md, mesh. */
#ifndef SIBLINGLINK_H
#define SIBLINGLINK_H

#include "derpnode.h"
#include "loop.h"
#include "queue.h"
#include "relaystream.h"

struct shard;

enum siblinglink_state {
	LINK_WAITING,  /* until it dials, again */
	LINK_DIALING,  /* TCP */
	LINK_GREETING, /* TLS, the upgrade, until the sibling's key came */
	LINK_PROVING,  /* our mesh key is said; nothing was told yet */
	LINK_UP,
	LINK_LEAVING, /* another has taken over; packets on their way go out by it */
	LINK_SELF     /* it led to this relay itself */
};

struct siblinglink {
	struct shard *shard;
	struct list link; /* mesh.links */
	uint32_t number;  /* of this connection; in mesh.link_of while there is one */
	struct derpnode sibling;
	enum siblinglink_state state;
	struct outward *outward;
	struct relaystream stream;
	struct queue disco, other;
	size_t unsent;              /* by its connection, as counted */
	unsigned key;               /* which of the mesh keys is tried */
	uint8_t proven[KEY_LEN];    /* it */
	struct siblinglink *before; /* to the same sibling by the key before: packets go by that one until this one knows as much */
	unsigned tries;             /* while there is one before */
	bool wanted;                /* by siblings.c: its sibling was told last */
	bool counted, was_self;
	struct timer timer;
	struct mono heard, learned, up_since;
	struct defer flushing, ending;
};

/* It dials at the end of this turn. before: the link by the key before, or NULL. */
struct siblinglink *siblinglink_new(struct shard *shard, const struct derpnode *sibling, struct siblinglink *before);
void siblinglink_end(struct siblinglink *link);
/* It does not go on: it dials again, a little later, unless another takes its place. What was learned by it is forgotten first. */
void siblinglink_stop(struct siblinglink *link, const char *reason);
/* The one that is to take over from it, or NULL. */
struct siblinglink *siblinglink_successor(const struct siblinglink *link);

/* Packets may go out by it. */
bool siblinglink_carries(const struct siblinglink *link);
/* Takes it; on a link that carries. */
void siblinglink_send(struct siblinglink *link, struct packet *packet);
/* What waits for it waits longer than a turn. */
bool siblinglink_is_slow(const struct siblinglink *link);
size_t siblinglink_waiting(const struct siblinglink *link); /* bytes of packets */
void siblinglink_lose_oldest(struct siblinglink *link);     /* of those that wait, which there are */

#endif
