/* A node that joins stands in everything that was made by slots as its twin does: a node that no rule tells from it. Private to the module.
 * Not the finding of a twin (follow.c). Parts that were not made yet have nothing to do. */
#ifndef TWIN_H
#define TWIN_H

#include "policy.h"

#define NO_TWIN UINT32_MAX /* the node leaves */

static inline void set_stand_as(uint64_t *words, uint32_t slot, uint32_t twin)
{
	uint64_t bit = UINT64_C(1) << (slot % 64);
	if (twin != NO_TWIN && (words[twin / 64] >> (twin % 64) & 1))
		words[slot / 64] |= bit;
	else
		words[slot / 64] &= ~bit;
}

/* A node without a twin: what it sees, and who sees it, is found from the units that hold it. */
void visible_move(struct policy *policy, uint32_t slot);
void attrs_move(struct policy *policy);
void ssh_plan_move(struct policy *policy, uint32_t slot);

void visible_stand_as(struct policy *policy, uint32_t slot, uint32_t twin);
void attrs_stand_as(struct policy *policy, uint32_t slot, uint32_t twin);
void ssh_plan_stand_as(struct policy *policy, uint32_t slot, uint32_t twin);

#endif
