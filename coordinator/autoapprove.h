/* Routes that the policy approves by itself, of nodes that advertise anew.
 * Not who decides (policy/approve.h), not those of all nodes when a policy is written (desk/policyput.h). Approval is remembered: nothing here takes one back.
 * Nobody waits for autoapprove_nodes: it follows a write that has committed, with a transaction and a bell of its own. */
#ifndef AUTOAPPROVE_H
#define AUTOAPPROVE_H

#include "coordinator.h"

/* Those nodes advertise, or are other than they were. What is approved already costs one small read; past a bound none is done, and the log says so. */
void autoapprove_nodes(struct coordinator *c, uint64_t tailnet, const uint64_t *nodes, size_t count);

#endif
