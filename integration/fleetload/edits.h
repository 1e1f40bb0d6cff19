/* S5: edits of the policy while all are connected, with 1, 10, 100 and 1,000 rules: what an edit costs, when all have it; a class of nodes revoked and let in again.
 * Not a policy engine: each text is made so that it is known who sees whom. The adapter given in the options puts it in force.
 * Nothing is kept but files that are deleted. */
#ifndef EDITS_H
#define EDITS_H

#include "run.h"

void edits(struct run *r);

#endif
