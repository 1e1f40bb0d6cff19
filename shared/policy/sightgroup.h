/* Groups of nodes that a policy treats alike in one respect: who is source, or destination, of something, and what that gives them. Private to the module.
 * Not sights (visible.h). Groups live as long as sight_groups; sets of others are borrowed from the policy.
 * Source: docs/protocol/policy.md, sections 14 and 15. */
#ifndef SIGHTGROUP_H
#define SIGHTGROUP_H

#include "way.h"

/* What membership gives. Sets of ways and grants are empty for most. */
struct sight_group {
	const struct bitset *members;
	const struct bitset *sees; /* nodes; `own_sees` once several rules gave something. NULL: nobody */
	struct bitset own_sees, own_members;
	struct bitset shows;  /* ways */
	struct bitset covers; /* ways whose steering is off */
	struct bitset grants; /* via grants it is source of */
	size_t low, high;     /* words of `sees` that may be set */
	struct sight_group *next;
};

/* A router to which a via grant gives a way. */
struct sight_given {
	uint32_t slot, way;
};

struct sight_grant {
	struct bitset steers; /* ways that no other router keeps */
	struct sight_given *given;
	size_t given_count;
};

struct sight_groups {
	struct sight_group **list;
	size_t count;
	struct sight_grant *grants;
	size_t grant_count;
};

void sight_groups_init(struct sight_groups *groups, struct arena *arena, const struct policy *policy, const struct ways *ways);
/* All groups of one node, as one. */
void sight_groups_of(struct sight_groups *groups, struct arena *arena, const struct policy *policy, const struct ways *ways, uint32_t slot);
void sight_groups_clear(struct sight_groups *groups);

/* Classes: nodes that are in the same groups have one number, dense from 0; UINT32_MAX for an empty slot. `classes` has room for all slots. How many. */
size_t sight_classes(const struct sight_groups *groups, const struct roll *roll, uint32_t *classes);

/* Bits of 64 groups from `chunk` * 64 on for the 64 slots from `block` * 64 on: one word per slot. False: all are zero. */
bool sight_columns(const struct sight_groups *groups, size_t chunk, size_t block, uint64_t columns[static 64]);

#endif
