#include "pace.h"

enum {
	BUSY = 15,           /* percent; below it there is nothing to save */
	BRISK = 50000,       /* packets per second of all flows from which on looking takes what is left of the processor: it is short */
	BRISK_LOOK_US = 8,   /* so short */
	MANY = 75000,        /* from which on there is none */
	STRONG = 16000,      /* packets per second of one flow from which on they are gathered */
	STRONG_ALL = 160000, /* of all flows together */
	LAGGED = 10000,      /* the same while reads bring several packets: the loop lags behind, or clients send in bursts */
	LAGGED_ALL = 100000,
	LAG = 2 * 16,         /* sixteenths of a packet in a read */
	LAG_MOST = 4 * 16,    /* one stall is no lag */
	TERM = 256,           /* windows after which strong flows have to show again what they are: naps alone make reads bring much */
	WANTED = 16,          /* of one flow in a turn */
	BATCHES = WANTED + 4, /* so many in one read: they come in batches, or naps are longer than needed */
	LEAST_US = 50,
	BURST_US = 500, /* many weak flows: what one client sends in a row comes together */
	LUCKY = 128     /* of 256 */
};

static unsigned look_us(const struct pace *p)
{
	return p->all < BRISK ? PACE_LOOK_US : p->all < MANY ? BRISK_LOOK_US : 0;
}

unsigned pace_look_us(const struct pace *p)
{
	return p->nap_us || p->luck < LUCKY ? 0 : look_us(p);
}

void pace_waited(struct pace *p, uint64_t us)
{
	p->luck = (7 * p->luck + (us < 2 * look_us(p) ? 256 : 0)) / 8;
}

static bool any_above(const struct pace *p, unsigned rate, unsigned all)
{
	return p->rate >= rate || p->all >= all;
}

static bool is_strong(struct pace *p)
{
	if (any_above(p, STRONG, STRONG_ALL))
		return true;
	if (!p->strong)
		return p->lag >= LAG && any_above(p, LAGGED, LAGGED_ALL);
	if (p->window % TERM)
		return any_above(p, LAGGED - LAGGED / 4, LAGGED_ALL - LAGGED_ALL / 4);
	p->lag = 0;
	return false;
}

/* Strong flows: until WANTED of each have come. */
static unsigned gathering_us(const struct pace *p, unsigned each)
{
	unsigned us = p->rate >= LAGGED - LAGGED / 4 ? WANTED * 1000000u / p->rate : BURST_US;
	if (each >= BATCHES)
		us = p->nap_us - p->nap_us / 4;
	return us < LEAST_US ? 0 : us < PACE_MOST_US ? us : PACE_MOST_US;
}

void pace_window(struct pace *p, uint64_t busy_us, uint64_t window_us)
{
	uint64_t all = window_us ? (uint64_t)p->units * 1000000 / window_us : 0, rate = p->flows ? all / p->flows : 0;
	uint64_t share = window_us ? 100 * busy_us / window_us : 0;
	unsigned each = p->reads ? p->units / p->reads : 0, lag;

	p->rate = (unsigned)((3 * (uint64_t)p->rate + rate) / 4);
	p->all = (unsigned)((3 * (uint64_t)p->all + all) / 4);
	lag = p->reads ? 16 * p->units / p->reads : 0;
	p->lag = (3 * p->lag + (lag < LAG_MOST ? lag : LAG_MOST)) / 4;
	p->strong = share >= BUSY && is_strong(p);
	p->nap_us = p->strong ? gathering_us(p, each) : 0;
	p->reads = p->units = p->flows = 0;
	p->window++;
}
