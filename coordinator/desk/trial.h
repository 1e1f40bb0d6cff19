/* A policy text tried on a tailnet as it stands: read, compiled for its nodes, its tests run.
 * Not a write (act_policy.h), not when (turns.h). Everything lives in the arena given but the compiled policy, which trial_end frees; census and text are
 * borrowed. What it costs is bounded by the caps of document.h. Touches nothing else, so it may run on any thread. */
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
	struct lapses lapses; /* of trial_compile_stored */
	struct policy *policy;
	struct selftest tests;
	struct trial_route *routes; /* of trial_run: what the policy approves and nobody did yet, by node */
	size_t route_count;
};

struct trial_route {
	const struct node *node;
	struct prefix route;
};

/* The roll alone. */
void trial_call_roll(struct trial *trial, struct arena *arena, const struct census *census);
/* Reads and compiles. ERR_MALFORMED and ERR_TOO_BIG with sentence and place. On error there is nothing to end. */
MUST_USE enum err trial_compile(struct trial *trial, struct arena *arena, const struct census *census, struct bytes text, struct diag *why);
/* The policy in force, read as mappers read it: without what is not understood. That of a tailnet without one is {}. */
MUST_USE enum err trial_compile_stored(struct trial *trial, struct arena *arena, const struct census *census, struct diag *why);
/* As trial_compile, the tests, and the routes that it approves. ERR_MALFORMED "test(s) failed": `tests` tells which, and there is something to end. */
MUST_USE enum err trial_run(struct trial *trial, struct arena *arena, const struct census *census, struct bytes text, struct diag *why);
/* The policy in force, read as above but not compiled, and what it approves of the routes of these nodes, which need not be on the roll. */
MUST_USE enum err trial_find_routes(struct trial *trial, struct arena *arena, const struct census *census, const struct node *nodes, size_t count);
void trial_end(struct trial *trial); /* may be called on an empty one */

/* What people are told of lapses; NULL: there are none. In the arena. */
const char *trial_warning(struct arena *arena, const struct lapses *lapses);

#endif
