#include "sshcheck.h"

static bool is_of(const struct sshcheck *check, const struct sshcheck_login *login)
{
	return check->source == login->source && check->destination == login->destination && check->user == login->user &&
	       bytes_equal(check->local_user, login->local_user);
}

enum sshcheck_step sshcheck_decide(const struct sshcheck_login *login, int64_t period_ms, int64_t signin_age_ms, const struct sshcheck *check, int64_t left_ms)
{
	bool counts = check && left_ms > 0 && is_of(check, login);

	if (counts && check->answered)
		return sshcheck_refused(check) ? SSHCHECK_REFUSE : SSHCHECK_ACCEPT;
	if (signin_age_ms >= 0 && signin_age_ms < period_ms)
		return SSHCHECK_ACCEPT;
	return counts ? SSHCHECK_HOLD : SSHCHECK_BEGIN;
}
