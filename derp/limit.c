#include "limit.h"

static void refill(struct limit *l, int64_t per_second, int64_t most, struct mono now)
{
	int64_t passed = now.ms - l->at_ms, room = most - l->thousandths;
	/* Past the time that fills it, more time adds nothing, and must not overflow. A burst may have become smaller. */
	if (!l->begun || room < 0 || (passed > 0 && per_second && passed > room / per_second))
		l->thousandths = most;
	else if (passed > 0)
		l->thousandths += passed * per_second;
	if (!l->begun || passed > 0)
		l->at_ms = now.ms;
	l->begun = true;
}

int64_t limit_take_many(struct limit *l, uint64_t cost, struct rate rate, struct mono now)
{
	int64_t price = (int64_t)cost * 1000, speed = (int64_t)rate.per_second;
	refill(l, speed, (int64_t)rate.burst * 1000, now);
	if (l->thousandths < price)
		return speed && cost <= rate.burst ? (price - l->thousandths + speed - 1) / speed : INT64_MAX;
	l->thousandths -= price;
	return 0;
}

bool limit_take(struct limit *l, struct rate rate, struct mono now)
{
	return !limit_take_many(l, 1, rate, now);
}
