/* The table of primary routers: who serves a subnet route that several nodes offer. A route with one router needs nobody's decision: triggers keep its row.
 * Not the choice (fleet/route.h) and not the duty (coordinator/routers.h).
 * Functions with a struct tx add a statement to a transaction of the tailnet. */
#ifndef PRIMARIES_H
#define PRIMARIES_H

#include "route.h"
#include "tx.h"

/* A router of a route that has several. */
struct primaries_contest {
	uint64_t tailnet;
	struct prefix route;
	struct machine_key machine_key;
	struct route_router router; /* online is not known here: false */
};
/* Over all tailnets, by tailnet, then route; borrowed until the answer returns. At most `limit`: a route at the end of a full answer may lack routers. */
typedef void (*primaries_fn)(void *context, enum err e, const struct primaries_contest *contests, size_t count);
void primaries_find_contested(struct pg *pg, unsigned limit, primaries_fn on_found, void *context);

/* ERR_CONFLICT: `was` is not the primary any more, or `chosen` does not serve the route. */
void primaries_move(struct tx *tx, struct prefix route, uint64_t was, uint64_t chosen);
/* Whether a router answers; no journal line: maps do not show it. A node that is gone is passed over. */
void primaries_set_unreachable(struct tx *tx, uint64_t node, bool unreachable);

#endif
