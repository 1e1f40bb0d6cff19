/* Tell coordinators that this relay is alive, over and over: a lease that is renewed each third of its time.
 * Not what is in the map (that is a row) and not the admission of clients.
 * One per process, on one loop. After a failure the next coordinator is tried, at growing distances. */
#ifndef ANNOUNCE_H
#define ANNOUNCE_H

#include <jansson.h>

#include "coordinators.h"
#include "fetch.h"
#include "figure.h"

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

/* What a relay says about itself. */
struct announcement {
	const char *name; /* "": the coordinator knows */
	const char *host_name, *ipv4, *ipv6, *cert_name;
	unsigned relay_port;
	int stun_port; /* -1: none */
	bool insecure_for_tests, can_port80;
	const char *instance; /* random, of this process */
	uint64_t homes;       /* clients whose home it is */
	uint64_t rechecks_from;
	bool draining;
	const char *probe_key; /* by which it is a client of other relays; NULL: it does not probe */
	bool wants_peers;      /* whom to probe: those behind the number peers_from */
	uint64_t peers_from;
	const struct figure *figures; /* of its last probes */
	size_t figure_count;
};

/* Wire: POST /relay/v1/announce, docs/protocol/derp.md. */
MUST_USE enum err announcement_encode(const struct announcement *announcement, struct buffer *out);

struct announce *announce_new(const struct announce_config *config); /* the first one goes at the end of this turn */
void announce_hurry(struct announce *announce);                      /* say it now, and often from now on */
/* The last answer was one to what was said after announce_hurry, if that was called. */
bool announce_is_current(const struct announce *announce);
void announce_free(struct announce **announce); /* before the fetcher */

#endif
