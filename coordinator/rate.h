/* Token buckets by key (machine keys, addresses): how often somebody may ask.
 * Not fairness between loops: each loop counts its own. Bounded: the oldest bucket makes room.
 * The worker owns it. */
#ifndef RATE_H
#define RATE_H

#include "bytes.h"
#include "clock.h"

struct rate;

struct rate *rate_new(unsigned per_minute, size_t buckets_max);
void rate_free(struct rate **rate);
/* Takes a token of `key`'s bucket (full at `per_minute`); false when it is empty, and *retry_s says when to come again. */
bool rate_take(struct rate *rate, struct bytes key, struct mono now, unsigned *retry_s);
/* Takes one likewise, and tells how the bucket stands afterwards: tokens left, and seconds until it is full. */
bool rate_take_seen(struct rate *rate, struct bytes key, struct mono now, unsigned *retry_s, unsigned *left, unsigned *full_s);
/* Whether a token is there, without taking it. */
bool rate_has(struct rate *rate, struct bytes key, struct mono now, unsigned *retry_s);

#endif
