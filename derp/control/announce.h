/* Tell coordinators that this relay is alive, over and over: a lease that is renewed each third of its time.
 * Not what is said (announcement.h), not what is in the map (that is a row) and not the admission of clients.
 * One per process, on one loop. After a failure the next coordinator is tried, at growing distances. */
#ifndef ANNOUNCE_H
#define ANNOUNCE_H

#include <jansson.h>

#include "coordinators.h"
#include "fetch.h"

struct announce;

struct announce_config {
	struct loop *loop;
	struct fetcher *fetcher;
	struct coordinators *coordinators;
	const char *token;
	void (*write)(void *context, struct buffer *out);      /* what to say now, JSON */
	void (*on_taken)(void *context, const json_t *answer); /* a coordinator took it; each time */
	void (*on_refused)(void *context);                     /* our token, or what we say, is not good there; each time */
	void *context;
};

struct announce *announce_new(const struct announce_config *config); /* the first one goes at the end of this turn */
void announce_hurry(struct announce *announce);                      /* say it now, and often from now on */
/* The last answer was one to what was said after announce_hurry, if that was called. */
bool announce_is_current(const struct announce *announce);
void announce_free(struct announce **announce); /* before the fetcher */

#endif
