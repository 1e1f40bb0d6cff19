/* What a policy's write adds to a transaction once its text was tried: the next version, and routes that it approves.
 * Not the trial (trial.h), not audit line and bell: those are the caller's, the line before.
 * Reading what was written: policies_read of `row` in the answer. */
#ifndef POLICYPUT_H
#define POLICYPUT_H

#include "trial.h"

struct policyput {
	unsigned row;          /* statement: the version as it stands then, without its text */
	size_t approved_nodes; /* nodes with a route that it approved */
};

/* `unchanged`: only while the census's policy is in force, else ERR_CONFLICT. Takes text, author and note of the row. */
struct policyput policyput_add(struct tx *tx, const struct trial *trial, const struct census *census, const struct policy_row *row, bool unchanged);
/* Adds the routes that were found; of how many nodes. */
size_t policyput_routes(struct tx *tx, const struct trial *trial);

#endif
