/* How a relay is reached, as coordinators tell other relays: members of its node in the relay map.
 * Not the connection (outward.h), and not what that relay is to us: a sibling (told.h), or one to be probed (peers.h).
 * A plain value. Source of the members: docs/protocol/derpmap.md (tailscale tailcfg/derpmap.go, DERPNode). */
#ifndef DERPNODE_H
#define DERPNODE_H

#include <jansson.h>

#include "addr.h"

enum { DERPNODE_NAME_MAX = 63, DERPNODE_HOST_MAX = 253 };

struct derpnode {
	char name[DERPNODE_NAME_MAX + 1];
	char host[DERPNODE_HOST_MAX + 1];
	char cert_name[DERPNODE_HOST_MAX + 1];
	struct ip ip4, ip6; /* IP_NONE: ask DNS */
	uint16_t port;
	bool insecure_for_tests;
};

/* Members of a wrong type or beyond a cap are as absent. False: without a name or a host, or with one that no request can hold. */
MUST_USE bool derpnode_read(const json_t *object, struct derpnode *node);
bool derpnode_equal(const struct derpnode *a, const struct derpnode *b);

#endif
