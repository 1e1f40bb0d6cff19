/* How a relay lives in its fleet: what coordinators told is handed to every shard, and clients are let go before the doors close, which may open again.
 * Not the announcements (announce.h, registration.h), not the asking about clients again (recheck.h) and not a client (client.h).
 * Each shard holds a reference to what was told last. Functions run on the shard's own thread. Source: docs/protocol/derp.md, drain. */
#ifndef RELAYLIFE_H
#define RELAYLIFE_H

#include "loop.h"
#include "told.h"

struct shard;

enum { RECHECKS_KEPT_MS = 480000 }; /* coordinators keep keys to ask about again a little longer */

struct relaylife {
	struct told *told; /* NULL before the first answer */
	bool leaving;      /* doors are shut, clients go */
	bool ending;       /* the process shall end */
	bool said_drained;
	struct mono until, heard;
	struct timer look, late;
};

void relaylife_open(struct shard *shard);

/* On the first shard: a coordinator's answer; refused: it knows our token no more. */
void relaylife_heard(struct shard *first, const json_t *answer);
void relaylife_refused(struct shard *first);
/* The process shall end: clients move while they can, then this shard tells that it has drained. */
void relaylife_end(struct shard *shard);
/* Its first certificate is there: opens the doors that waited for it. Like all that cannot be opened they are tried again with each answer of a coordinator. */
void relaylife_welcome(struct shard *shard);
void relaylife_close(struct shard *shard);
/* No new clients from now on. */
bool relaylife_is_leaving(const struct shard *shard);

#endif
