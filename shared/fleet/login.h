/* An interactive login: a machine that asked to join without a key and waits until somebody answers for it.
 * Not the holding of its request (coordinator/serve_login.h) and not the decision (admission.h).
 * Texts and lists live in the arena of whoever read it. The id is a secret of whoever was shown it; rows hold its hash. */
#ifndef LOGIN_H
#define LOGIN_H

#include "addr.h"
#include "clock.h"
#include "key.h"

struct login {
	uint64_t id;
	uint64_t tailnet; /* 0: any may answer for it; else that alone may, or did */
	struct machine_key machine_key;
	struct node_key node_key;
	struct node_key old_node_key; /* zero: none */
	struct lock_key lock_key;
	struct bytes label;    /* base of the node's label */
	struct bytes hostinfo; /* JSON object */
	unsigned capver;
	struct prefix *routes; /* offered */
	size_t route_count;
	struct wall wanted_expiry; /* WALL_ZERO: no wish */
	bool ephemeral;
	struct bytes address; /* where it came from */
	struct wall created, ends;
	uint64_t node; /* what it became; 0: nothing yet */
	bool refused;
	struct bytes refusal; /* why */
};

static inline bool login_answered(const struct login *login)
{
	return login->node || login->refused;
}

#endif
