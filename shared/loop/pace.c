#include "pace.h"

enum {
	BUSY = 45, /* percent: above it naps grow */
	CALM = 30, /* below it they shrink */
	FED = 20,  /* packets of one read: longer naps bring little */
	FULL = 40, /* naps only cost time */
	FIRST_US = 20
};

void pace_window(struct pace *p, uint64_t busy_us, uint64_t window_us)
{
	unsigned each = p->reads ? p->units / p->reads : FULL;
	uint64_t share = window_us ? 100 * busy_us / window_us : 0;

	if (share > BUSY && each < FED)
		p->nap_us = p->nap_us ? p->nap_us + p->nap_us / 4 : FIRST_US;
	else if (share < CALM || each >= FULL)
		p->nap_us -= p->nap_us / 4 + 1 < p->nap_us ? p->nap_us / 4 + 1 : p->nap_us;
	if (p->nap_us > PACE_MOST_US)
		p->nap_us = PACE_MOST_US;
	if (p->nap_us < FIRST_US)
		p->nap_us = 0;
	p->reads = p->units = 0;
}
