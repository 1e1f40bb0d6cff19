/* Coordinator end of the link: one authenticated connection per mapper loop, shared by all map streams of this loop; chunk cache.
 * Not choosing the mapper (bus/roster.h) and not reading bodies: bytes are passed on.
 * The worker owns the dial, a poll owns its subscription. */
#ifndef DIAL_H
#define DIAL_H

#include "addr.h"
#include "body.h"
#include "linkframe.h"
#include "loop.h"

enum { LINK_HEARTBEAT_MS = 500, LINK_SILENCE_MS = 2000 };

struct dial;
struct subscription;

struct subscription_events {
	/* One whole map frame's content as pieces (not yet length-prefixed), at `version`. Only while the subscription is free. */
	void (*on_frame)(void *context, uint64_t version, struct body *const *pieces, size_t count);
	/* The subscription has ended by the mapper (enum link_end) or by loss of the link (ERR_UNAVAILABLE, ERR_TIMEOUT). Once; still to be closed. */
	void (*on_end)(void *context, enum err why, enum link_end reason);
};

struct dial *dial_new(struct loop *loop, struct bytes cluster_secret, void (*on_lost)(void *context, struct endpoint mapper), void *context);
void dial_free(struct dial **dial); /* after all subscriptions are closed */
struct subscription *dial_subscribe(struct dial *dial, struct endpoint mapper, const struct link_subscribe *request, const struct subscription_events *events,
				    void *context);
/* free = false after a frame that could not be sent at once; a frame that comes although clogged is dropped inside and told as LINK_STANDS by itself. */
void subscription_credit(struct subscription *s, bool free);
void subscription_close(struct subscription **s);

#endif
