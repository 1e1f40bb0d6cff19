/* Who sees whom, and with which routes. Pure.
 * Not what passes (filter.h): one-way access shows both sides to each other.
 * Sights belong to the policy. Nodes that see the same things the same way have one sight (its row holds the viewer too: it is never its own peer).
 * Source: docs/protocol/policy.md, sections 14 and 15. */
#ifndef VISIBLE_H
#define VISIBLE_H

#include "policy.h"

/* A router as this sight has it: the routes shown of it, sorted. Nodes not listed show their addresses alone. */
struct sight_router {
	uint32_t slot;
	struct prefix *routes; /* subnet routes and exit routes: they follow the addresses in AllowedIPs; PrimaryRoutes are those that are no exit routes */
	size_t count;
};

struct sight {
	uint32_t number;              /* dense, from 0 */
	struct bitset row;            /* visible slots */
	struct sight_router *routers; /* by slot; only those with at least one route shown */
	size_t router_count;
};

/* NULL for an empty slot. */
const struct sight *visible_sight(struct policy *policy, uint32_t slot);
size_t visible_count(const struct policy *policy);                               /* 0 before the first visible_sight: it makes them all */
uint64_t sight_hash(const struct sight *sight);                                  /* of row and routers */
const struct sight_router *sight_find(const struct sight *sight, uint32_t slot); /* NULL: no routes */

#endif
