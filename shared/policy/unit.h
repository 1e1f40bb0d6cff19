/* Rules into units, in the order of the wire. Private to the module.
 * Not merging by position at a node (filter.c).
 * Source: docs/protocol/policy.md, sections 8.1, 11, 12, 13. */
#ifndef UNIT_H
#define UNIT_H

#include "source.h"

/* Fills units of the policy: one block of the heap. */
void units_make(struct policy *policy);

#endif
