/* A check of an SSH rule: a destination asked whether somebody signed in at the source lately, and waits until it happens. Pure.
 * Not the rules (policy/sshrule.h) and not the holding of the request (coordinator/serve_sshaction.h).
 * Texts live in the arena of whoever read them. The id is a secret of whoever was shown it; rows hold its hash.
 * Source: docs/protocol/policy.md, section 18. */
#ifndef SSHCHECK_H
#define SSHCHECK_H

#include "bytes.h"
#include "clock.h"

/* Enough for a login name of any system; a longer one was never in a policy that matters. */
enum { SSHCHECK_LOGIN_MAX = 255 };

struct sshcheck {
	uint64_t id, tailnet;
	uint64_t source, destination; /* nodes */
	uint64_t user;                /* whose the source was; 0: it was tagged */
	struct bytes local_user;
	struct wall created, ends;
	bool answered;
	struct bytes refusal; /* why; at NULL: approved, or not answered */
};

static inline bool sshcheck_refused(const struct sshcheck *check)
{
	return check->answered && check->refusal.at;
}

/* Who wants to log in where. */
struct sshcheck_login {
	uint64_t source, destination;
	uint64_t user; /* whose the source is now; 0: it is tagged */
	struct bytes local_user;
};

enum sshcheck_step { SSHCHECK_ACCEPT, SSHCHECK_REFUSE, SSHCHECK_BEGIN, SSHCHECK_HOLD };

/* What a check rule answers. period_ms: for so long a sign-in is remembered; not above 0: never. signin_age_ms: how long ago one was; below 0: none.
 * check: the one followed up, or NULL; what is not of this login counts as none. left_ms: until it ends, or until its answer counts no more: above 0, or there is
 * none. */
enum sshcheck_step sshcheck_decide(const struct sshcheck_login *login, int64_t period_ms, int64_t signin_age_ms, const struct sshcheck *check, int64_t left_ms);

#endif
