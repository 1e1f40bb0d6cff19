/* One consistent read of a whole tailnet: itself, users with outer groups, nodes with their attributes, policy, generation and stamp.
 * Not incremental (journal.h). What is read lives in the caller's arena. */
#ifndef CENSUS_H
#define CENSUS_H

#include "derpmap.h"
#include "journal.h"

struct census {
	uint64_t generation, stamp;
	struct tailnet tailnet;
	struct settings settings;
	struct user *users; /* by id */
	size_t user_count;
	struct node *nodes; /* by id */
	size_t node_count;
	struct policy_row *policy;    /* in force; NULL: none, everything is open */
	struct attribute_fact *facts; /* by node and key */
	size_t fact_count;
};

typedef void (*census_fn)(void *context, enum err e, const struct census *census);
/* ERR_NOT_FOUND: no such tailnet. */
void census_take(struct pg *pg, uint64_t tailnet, struct arena *arena, census_fn on_read, void *context);

/* The installation (tailnet 0): its generation, and regions with their relays, as the relay map wants them. */
struct census_relays {
	uint64_t generation, stamp;
	struct relay_region *regions;
	size_t region_count;
};
typedef void (*census_relays_fn)(void *context, enum err e, const struct census_relays *census);
void census_take_relays(struct pg *pg, struct arena *arena, census_relays_fn on_read, void *context);

#endif
