/* How fast one client may send: the rate in force for all of them, from a file that is looked at again or as coordinators tell, and what a client has left of it.
 * Not the waiting (client.h), and not what its tailnet may send (purse.h).
 * A relay has one struct rates, read from any thread and changed on one loop; a bucket (limit.h) belongs to its client. Source: docs/protocol/derp.md, rates (derp/derpserver). */
#ifndef RATES_H
#define RATES_H

#include <stdatomic.h>
#include <stdbool.h>

#include "clock.h"
#include "err.h"
#include "limit.h"
#include "loop.h"

enum { RATES_COST_MAX = 65536 + 32 }; /* of one frame, however long: the largest packet with its key. No burst is smaller */

/* No burst is less than what one frame costs; nothing is more than 10^12. */
struct rate rate_bounded(struct rate rate);

struct rates {
	_Atomic uint64_t per_second, burst;
	atomic_uint changes;
	char *path; /* NULL: no file, and coordinators' word counts */
	struct timer look;
	int64_t mtime_ns;
	uint64_t inode, size;
};

/* `path` "": no file. A file that cannot be understood is an error here, and a warning later: then the old rate stays. */
MUST_USE enum err rates_open(struct rates *rates, const char *path, struct diag *why);
void rates_close(struct rates *rates);
/* Could it be opened? */
MUST_USE enum err rates_check(const char *path, struct diag *why);
/* From now on another file counts, or "": none, and coordinators' word as soon as it comes. On the loop of rates_start. */
void rates_follow(struct rates *rates, const char *path);
/* Looks at the file each second from now on. */
void rates_start(struct rates *rates, struct loop *loop);
void rates_stop(struct rates *rates);
/* What coordinators say; a file has precedence. */
void rates_told(struct rates *rates, struct rate rate);
struct rate rates_now(const struct rates *rates);
static inline unsigned rates_changes(const struct rates *rates)
{
	return atomic_load_explicit(&rates->changes, memory_order_acquire);
}

/* A frame of `cost` bytes came: 0 when it may pass, which is then paid from its client's bucket; else milliseconds until it is worth asking again. */
int64_t rates_take(const struct rates *rates, struct limit *bucket, uint64_t cost, struct mono now);

#endif
