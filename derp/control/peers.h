/* The relays that coordinators name to a relay for probing, as their answer to an announcement has them.
 * Not siblings (told.h), though those are among them.
 * The owner clears it. Source of the members: docs/protocol/derp.md, probes. */
#ifndef PEERS_H
#define PEERS_H

#include "derpnode.h"

enum { PEERS_MAX = 128 };

struct peer {
	struct derpnode at;
	uint64_t id;   /* the coordinators' number of it */
	int stun_port; /* -1: none */
	bool mesh;     /* packets to its clients go by our mesh */
};

struct peers {
	struct peer *peer;
	size_t count;
	bool more; /* than these: the next ones are those behind the last id */
};

/* False, and nothing is changed: the answer names none. Bad ones are left out. */
bool peers_read(const json_t *answer, struct peers *peers);
void peers_clear(struct peers *peers);

#endif
