/* What a coordinator told the relay in its last answer to an announcement: its region's mesh, what is wished of it, keys to ask about again.
 * Not the asking (announce.h) and not what is done about it (relaylife.h).
 * Counted references from any thread; read-only once made. Source of the members: docs/protocol/derp.md, registration. */
#ifndef TOLD_H
#define TOLD_H

#include <stdatomic.h>

#include "derpnode.h"
#include "key.h"
#include "limit.h"

enum { TOLD_SIBLINGS_MAX = 256, TOLD_RECHECKS_MAX = 1000 };

struct told {
	atomic_uint references;
	uint8_t mesh_key[2][KEY_LEN]; /* present, before */
	unsigned mesh_key_count;
	struct derpnode *siblings;
	size_t sibling_count;
	bool drain;     /* the wish */
	bool held_back; /* it said too often that it is reached in another way: the map shows what it said before */
	bool leave;     /* nobody is kept waiting by its going: others take its clients, or there are none */
	uint64_t rechecks_from;
	bool recheck_all;
	struct node_key *rechecks;
	size_t recheck_count;
	struct rate client, tailnet; /* what one client may send, and all of a tailnet together that has no rate of its own */
};

/* Members of a wrong type or beyond a cap are as absent, and so are siblings without a name or a host; too many keys to ask about again are all of them. The
 * answer was an object. The caller owns one reference. */
struct told *told_new(const json_t *answer);
struct told *told_take(struct told *told);
void told_drop(struct told **told); /* accepts NULL, leaves NULL */
/* Constant time; never an all-zero key. `told` may be NULL. */
bool told_is_mesh_key(const struct told *told, const uint8_t key[static KEY_LEN]);

#endif
