/* A policy text tried on a tailnet as it stands: read, compiled for its nodes, its tests run.
 * Not a write (act_policy.h). Everything lives in the arena given but the compiled policy, which trial_end frees; census and text are borrowed.
 * What it costs is bounded by the caps of document.h. */
#ifndef TRIAL_H
#define TRIAL_H

#include "census.h"
#include "policy.h"
#include "selftest.h"

struct trial {
	struct arena *arena;
	struct roll roll; /* nodes[i] is census->nodes[i], empty when it is not approved */
	struct surroundings around;
	struct document *document;
	struct policy *policy;
	struct selftest tests;
};

/* The roll alone. */
void trial_call_roll(struct trial *trial, struct arena *arena, const struct census *census);
/* Reads and compiles; the text of a tailnet without a policy is {}. ERR_MALFORMED and ERR_TOO_BIG with sentence and place. On error there is nothing to end. */
MUST_USE enum err trial_compile(struct trial *trial, struct arena *arena, const struct census *census, struct bytes text, struct diag *why);
/* The same and the tests. ERR_MALFORMED "test(s) failed": `tests` tells which, and there is something to end. */
MUST_USE enum err trial_run(struct trial *trial, struct arena *arena, const struct census *census, struct bytes text, struct diag *why);
void trial_end(struct trial *trial); /* may be called on an empty one */

#endif
