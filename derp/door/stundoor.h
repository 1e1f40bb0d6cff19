/* The UDP socket of one shard that answers STUN requests (stun.h), in batches, from the address that was asked.
 * Limited as a whole, not per source: many clients share one address. Kernel and shards share the load by SO_REUSEPORT.
 * The shard owns it. */
#ifndef STUNDOOR_H
#define STUNDOOR_H

#include "addr.h"
#include "loop.h"

struct stundoor;

/* A socket bound to `at`; -1 and why. */
int stundoor_bind(struct endpoint at, struct diag *why);
/* Takes the socket. */
struct stundoor *stundoor_open(struct loop *loop, int fd, unsigned per_second);
void stundoor_set_rate(struct stundoor *door, unsigned per_second); /* accepts NULL */
void stundoor_close(struct stundoor **door);                        /* accepts NULL */

#endif
