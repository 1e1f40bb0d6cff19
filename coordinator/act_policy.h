/* All writes of a policy: the text is tried on the tailnet as it stands, then one transaction with the next version, routes that it approves, audit line, bell.
 * Not reading (store/policies.h), not the trial (trial.h).
 * Answers exactly once, never before it returned. Everything of an answer lives in the arena given, which nobody else uses meanwhile. */
#ifndef ACT_POLICY_H
#define ACT_POLICY_H

#include "act.h"
#include "trial.h"

struct policy_write {
	struct bytes text, note;
	uint64_t from; /* not 0: the text of that version, and `text` is made of it; ERR_NOT_FOUND without it */
	/* NULL: whatever stands. Else asked with the version in force (NULL: none): false ends in ERR_CONFLICT, and so does a write in between. */
	bool (*holds)(void *context, const struct policy_row *present);
};

struct policy_written {
	struct policy_row row; /* as it stands now; the text is the one written */
	struct selftest tests; /* also when they failed: e is ERR_MALFORMED */
	size_t approved_nodes; /* nodes with a route that it approved */
};

typedef void (*act_policy_fn)(void *context, enum err e, const struct policy_written *written, const struct diag *why);
/* The trial runs off the loop, when it is its turn (turns.h): ERR_EXHAUSTED and ERR_UNAVAILABLE when too many wait.
 * ERR_MALFORMED, ERR_TOO_BIG with sentence and place; written->tests when a test failed. The old policy stays whenever e is not ERR_NONE. */
void act_policy_put(struct coordinator *c, const struct actor *actor, const struct policy_write *write, struct arena *arena, act_policy_fn on_done,
		    void *context);

#endif
