/* The routes of a tailnet that somebody serves, numbered, and who serves them. Private to the module.
 * Not AllowedIPs: that is visible.h. Lives in the arena it was made in and borrows from the policy.
 * Source: docs/protocol/policy.md, sections 1 and 15. */
#ifndef WAY_H
#define WAY_H

#include "policy.h"

/* Numbers of ways, ascending. */
struct way_list {
	uint32_t *list;
	size_t count;
};

struct way_router {
	uint32_t slot;
	struct way_list served;  /* subnet routes and exit routes */
	struct way_list offered; /* of those: primary routes and exit routes */
	struct prefix *prefixes; /* of `offered` */
};

struct ways {
	struct prefix *list; /* subnet routes and exit routes, sorted, unique: a way is an index */
	size_t count;
	struct way_router *routers; /* by slot; every node that serves a way */
	size_t router_count;
	size_t words; /* of a set of ways */
	uint8_t lengths[2][129];
	size_t length_count[2]; /* prefix lengths that occur, of IPv4 and IPv6 */
};

struct ways *ways_new(struct arena *arena, const struct policy *policy);
const struct way_router *ways_router(const struct ways *ways, uint32_t slot); /* NULL: serves nothing */
/* Adds to `set` every way that overlaps. Takes time for what it finds and for the gaps between, not for the sets. */
void ways_overlapping(const struct ways *ways, struct spans spans, struct bitset *set);
void ways_all(const struct ways *ways, struct bitset *set);

#endif
