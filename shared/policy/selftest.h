/* The tests written inside a policy: tests and sshTests. Pure.
 * Not run when a stored policy is loaded: only when one is written. Results live in the caller's arena.
 * Source: docs/protocol/policy.md, sections 20 and 21. */
#ifndef SELFTEST_H
#define SELFTEST_H

#include "policy.h"

/* A failed test: which, and why in one sentence for each failed assertion. */
struct selftest_failure {
	struct place at;
	struct bytes user; /* src as written */
	struct bytes *errors;
	size_t error_count;
};

struct selftest {
	struct selftest_failure *failures;
	size_t failure_count;
	size_t ran;
};

/* Sentences of one run: after so many nothing more is tested. */
enum { SELFTEST_TOLD_MAX = 1000 };

/* Work grows with the distinct sources of tests times those of rules, and with assertions times the rules whose source overlaps theirs. Past a hundred million
 * comparisons, which are a few seconds, ERR_TOO_BIG.
 * ERR_MALFORMED: a test failed ("test(s) failed", at the place of the first); `result` tells what failed. */
MUST_USE enum err selftest_run(struct policy *policy, struct arena *arena, struct selftest *result, struct diag *why);

#endif
