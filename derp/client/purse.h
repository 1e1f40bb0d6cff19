/* What all clients of one tailnet together may send through this relay: one bucket per tailnet, on whatever threads its clients live.
 * Not the rate of one client (rates.h) and not the waiting (client.h). A tailnet is a number that coordinators gave; what it means is theirs.
 * Threads do not meet per packet: while there is enough, a shard takes a slice at once and its clients spend that. In all t seconds a tailnet passes at most
 * 5/4 burst + t x rate. When there is not enough, each waiting client in turn pays for one portion, first come first served on all threads, until it has its
 * frame together. A portion is its frame, and more the longer it goes on, but at most 20 ms of the rate (2 KiB to 256 KiB): of n clients that always have something
 * to send each gets one n-th, to within one portion, whatever the length of its frames; one that sends little waits for at most one portion of each other. Who leaves
 * before its turn has taken nothing: the others move up, and within that time their portions may come in a lump.
 * When a rate changes the bucket keeps the bytes that are in it, at most the new burst and to within a millisecond of the rate; it is full after a time without a limit.
 * A relay has one struct purses; its lock is held when clients come and go only. A share belongs to its client and is used on that one's thread. */
#ifndef PURSE_H
#define PURSE_H

#include "rates.h"

struct purse;
struct purses;

struct purse_share {
	struct purse *purse; /* NULL: of no tailnet, no limit */
	uint64_t held;       /* bytes paid for and not spent; lapse after a second */
	int64_t ready_ns;    /* when the portion that was asked for is paid for; 0: none is */
	uint64_t portion;
	int64_t paid_ns;  /* when the last one was */
	unsigned changes; /* of the rate, when it was asked for */
	unsigned shard;
};

struct purses *purses_new(void);
void purses_set_shards(struct purses *purses, unsigned shards); /* how many there are; any thread, before the first client joins */
void purses_free(struct purses **purses);                       /* nobody has a share any more */
/* What coordinators say for tailnets without a rate of their own. Any thread. */
void purses_told(struct purses *purses, struct rate rate, struct mono now);

/* From now on the client is one of that tailnet's (0: of none), whose own rate is `own` (per_second 0: that of the region). Legal when it has a share already:
 * the latest word counts for all of the tailnet. True: it was another tailnet's, or none's, before. */
bool purse_join(struct purse_share *share, struct purses *purses, uint64_t tailnet, struct rate own, unsigned shard, struct mono now);
/* Legal when it has none. A tailnet without clients is forgotten when its bucket is full again, and after ten minutes at the latest. */
void purse_leave(struct purse_share *share, struct mono now);
/* A frame of `cost` bytes came: 0 when it may pass, which is then paid; else milliseconds until it is worth asking again for the same frame. */
int64_t purse_take(struct purse_share *share, uint64_t cost, struct mono now);
/* per_second 0: no limit. */
struct rate purse_rate(const struct purse_share *share);
/* Another number when purse_rate has changed. */
unsigned purse_changes(const struct purse_share *share);
size_t purses_count(struct purses *purses); /* tailnets that are remembered */

#endif
