/* A connection that the relay dials to another relay, or to itself: its address, TCP, TLS as clients check it, the request. What comes back is given out as it lies.
 * Not what is said on it (siblinglink.h, relayclient.h) and no time limit but that of connecting: its user has one for what it waits for.
 * The user owns it. No event comes from within a call of its user; outward_close from within an event is legal. */
#ifndef OUTWARD_H
#define OUTWARD_H

#include "buffer.h"
#include "derpnode.h"
#include "loop.h"

struct outward;

struct outward_events {
	/* TCP stands. */
	void (*on_connected)(void *context);
	/* Decrypted, from the head of the HTTP answer on: consume what is understood, the rest is shown again with more. Also when nothing new came. */
	void (*on_data)(void *context, struct buffer *in);
	/* The kernel has taken all that was said. */
	void (*on_written)(void *context);
	/* The last event; why is good for this call. */
	void (*on_end)(void *context, const char *why);
};

struct outward_wish {
	struct derpnode to; /* its name is not looked at */
	struct bytes first; /* before TLS; copied */
	bool plain;         /* no TLS */
	bool probe;         /* GET /derp/probe; otherwise the upgrade to DERP */
	size_t out_cap;     /* most bytes that wait to be sent */
};

/* NULL: no TLS can be had. */
struct outward *outward_open(struct loop *loop, const struct outward_wish *wish, const struct outward_events *events, void *context);
void outward_close(struct outward **outward); /* accepts NULL, leaves NULL */
/* Once on_data came. False: it cannot be written; on_end does not come for that. */
MUST_USE bool outward_say(struct outward *outward, struct bytes text);
size_t outward_unsent(const struct outward *outward);
/* Where it dials; IP_NONE while a name is looked up. */
struct endpoint outward_peer(const struct outward *outward);
/* It is past TLS, and the request is out. */
bool outward_asked(const struct outward *outward);

#endif
