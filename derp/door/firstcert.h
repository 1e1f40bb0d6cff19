/* A relay whose first certificate is still to be issued: until its files are there it listens on the plain port alone, where the authority asks, and is in no map.
 * Not the certificates that follow (server.h reads them anew) and not the answers to the authority (webroot.h).
 * On the first shard, which owns it. */
#ifndef FIRSTCERT_H
#define FIRSTCERT_H

#include <stdatomic.h>

#include "loop.h"
#include "options.h"

struct shard;

struct firstcert {
	struct timer look;
	void (*on_there)(struct shard *first);
	atomic_uint opening; /* shards that have not tried to open their doors */
	bool said;           /* that the files are there and no good */
};

/* Whether to wait: an ACME client is at work, and has not brought anything yet. */
bool firstcert_is_missing(const struct relay_options *options);
/* Calls once, when all shards have opened their doors (relaylife.h: those that cannot try again); never when the process ends before. */
void firstcert_await(struct shard *first, void (*on_there)(struct shard *first));
void firstcert_stop(struct shard *first); /* legal when not begun */

#endif
