#include "pace.h"

enum {
	BUSY = 15,            /* percent; below it there is nothing to save */
	WORTH = 10000,        /* packets per second of one flow from which on they are gathered */
	WORTH_ALL = 120000,   /* of all flows together */
	WANTED = 16,          /* of one flow in a turn */
	BATCHES = WANTED + 4, /* so many in one read: they come in batches, or naps are longer than needed */
	LEAST_US = 50,
	BURST_US = 500 /* many weak flows: what one client sends in a row comes together */
};

void pace_window(struct pace *p, uint64_t busy_us, uint64_t window_us)
{
	uint64_t all = window_us ? (uint64_t)p->units * 1000000 / window_us : 0, rate = p->flows ? all / p->flows : 0;
	uint64_t share = window_us ? 100 * busy_us / window_us : 0;
	unsigned each = p->reads ? p->units / p->reads : 0;

	p->rate = (unsigned)((3 * (uint64_t)p->rate + rate) / 4);
	p->all = (unsigned)((3 * (uint64_t)p->all + all) / 4);
	if (share < BUSY || (p->rate < WORTH && p->all < WORTH_ALL))
		p->nap_us = 0;
	else if (each >= BATCHES)
		p->nap_us -= p->nap_us / 4;
	else
		p->nap_us = p->rate < WORTH ? BURST_US : WANTED * 1000000u / p->rate;
	if (p->nap_us > PACE_MOST_US)
		p->nap_us = PACE_MOST_US;
	if (p->nap_us < LEAST_US)
		p->nap_us = 0;
	p->reads = p->units = p->flows = 0;
	p->window++;
}
