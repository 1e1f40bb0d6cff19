/* Subnet routes and exit routes of a node: advertised, approved, served.
 * Not reachability and not the election of a primary between several routers (a row; decided by a coordinator's duty).
 * Pure; results go into the caller's arrays. Source: docs/protocol/routes.md. */
#ifndef ROUTE_H
#define ROUTE_H

#include "node.h"

bool route_is_exit(struct prefix prefix); /* 0.0.0.0/0 or ::/0 */
/* Advertised and approved, masked, sorted, unique; exit routes only as a pair. Returns how many; `out` has room for node->approved_count. */
size_t route_served(const struct node *node, struct prefix *out);

#endif
