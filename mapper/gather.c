#include "gather.h"

enum {
	CALM_MOVED = 16,         /* so many changes still go out at once */
	CALM_UNSENT = 256 << 10, /* a send buffer's worth: not yet a queue */
	COST_SHARE = 4           /* a tick may take a quarter of its loop's time */
};

static int64_t max(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

int64_t gather_ms(int64_t least, int64_t most, const struct gather_load *load)
{
	int64_t wait = least;
	/* Double the work, double the wait: the number of frames stays the same whatever the rate of change is. */
	if (load->moved > CALM_MOVED)
		wait = max(wait, least * (int64_t)(load->moved / CALM_MOVED));
	if (load->unsent > CALM_UNSENT)
		wait = max(wait, least * (int64_t)(load->unsent / CALM_UNSENT) * 4);
	wait = max(wait, (int64_t)(load->cost_us * COST_SHARE / 1000));
	return wait < most ? wait : most;
}
