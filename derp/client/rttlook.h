/* The round trip times of a shard's connections, each looked at about every ten seconds, spread over that time: never many in one turn.
 * Not a measurement of ours: the kernel's estimate.
 * Embedded in its shard. Source: docs/protocol/derp.md, variables of the stock relay (derp/derpserver, stats loop). */
#ifndef RTTLOOK_H
#define RTTLOOK_H

#include "clientwalk.h"
#include "loop.h"

struct rttlook {
	struct clientwalk walk; /* goes: a round is on its way */
	struct timer tick;
	unsigned most, ticks; /* of the round: connections per tick, and how often it comes */
};

void rttlook_open(struct shard *shard);
void rttlook_close(struct shard *shard);

#endif
