/* The keys by which a relay is a client of relays: one that coordinators are told, for others; the rest for itself, which admits them without asking.
 * Not the relay's own key. Made once before the threads start, read-only afterwards. */
#ifndef PROBEKEYS_H
#define PROBEKEYS_H

#include "key.h"

/* Of its own there are several, so that they live on different shards. */
enum { PROBEKEYS_TOLD, PROBEKEYS_MESH, PROBEKEYS_OWN, PROBEKEYS_COUNT = PROBEKEYS_OWN + 30 };

struct probekey {
	struct private_key secret;
	struct public_key public;
	struct node_key node; /* the same, as a client's */
};

struct probekeys {
	struct probekey key[PROBEKEYS_COUNT];
};

void probekeys_mint(struct probekeys *keys);
void probekeys_wipe(struct probekeys *keys);
bool probekeys_has(const struct probekeys *keys, const struct node_key *node);

#endif
