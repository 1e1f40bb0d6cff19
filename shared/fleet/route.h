/* Subnet routes and exit routes of a node: advertised, approved, served.
 * Not the question whether a router answers (coordinator/routers.h) and not the rows of primary routers (store/primaries.h).
 * Pure; results go into the caller's arrays. Source: docs/protocol/routes.md. */
#ifndef ROUTE_H
#define ROUTE_H

#include "node.h"

bool route_is_exit(struct prefix prefix); /* 0.0.0.0/0 or ::/0 */
/* Advertised and approved, masked, sorted, unique; exit routes only as a pair. Returns how many; `out` has room for node->approved_count. */
size_t route_served(const struct node *node, struct prefix *out);

/* One of several nodes that serve the same subnet route. */
struct route_router {
	uint64_t node;
	struct wall created;
	bool online;
	bool unreachable; /* online, and yet it does not answer */
	bool is_primary;
};
/* Whose the route shall be; 0: stays as it is. The primary keeps it while it is online and answers; else it goes to who answers and was made first, and does not
 * come back by itself. When nobody answers, whoever is online is better than nobody, and the present one better than another.
 * Source: docs/protocol/routes.md. */
uint64_t route_elect(const struct route_router *routers, size_t count);

#endif
