#include "gather.h"

enum {
	FRAMES_PER_S = 8192,     /* of one tailnet: a frame costs a coordinator 6 us at the least, so this is a twentieth of a core */
	CALM_UNSENT = 256 << 10, /* a send buffer's worth: not yet a queue */
	UNSENT_PER_S = 32 << 20, /* what is queued drains about so fast when it queues at all */
	COST_SHARE = 4           /* a tick may take a quarter of its loop's time */
};

static int64_t max(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

int64_t gather_ms(int64_t least, int64_t most, const struct gather_load *load)
{
	int64_t wait = max(least, (int64_t)(load->frames * 1000 / FRAMES_PER_S));
	if (load->unsent > CALM_UNSENT)
		wait = max(wait, (int64_t)(load->unsent * 1000 / UNSENT_PER_S));
	wait = max(wait, (int64_t)(load->cost_us * COST_SHARE / 1000));
	return wait < most ? wait : most;
}
