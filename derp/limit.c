#include "limit.h"

void limit_init(struct limit *l, unsigned burst, struct mono now)
{
	*l = (struct limit){.thousandths = (int64_t)burst * 1000, .at_ms = now.ms};
}

bool limit_take(struct limit *l, unsigned per_second, unsigned burst, struct mono now)
{
	int64_t most = (int64_t)burst * 1000, passed = now.ms - l->at_ms;
	if (passed > 0) {
		/* Past the time that fills it, more time adds nothing, and must not overflow. */
		int64_t room = most - l->thousandths;
		if (per_second && passed >= room / per_second + 1)
			l->thousandths = most;
		else
			l->thousandths += passed * per_second;
		l->at_ms = now.ms;
	}
	if (l->thousandths < 1000)
		return false;
	l->thousandths -= 1000;
	return true;
}
