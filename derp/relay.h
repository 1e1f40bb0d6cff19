/* One relay process: what all its shards (shard.h) share.
 * Not a shard and not a client (client.h).
 * Written before the threads start and read-only afterwards, but for its atomics, what has a lock of its own, and what is the first shard's. It outlives the threads,
 * and so do the shards: what was posted late still finds them, closed. */
#ifndef RELAY_H
#define RELAY_H

#include <stdatomic.h>

#include "announcement.h"
#include "coordinators.h"
#include "firstcert.h"
#include "forwarded.h"
#include "heldport.h"
#include "options.h"
#include "owncert.h"
#include "port80.h"
#include "probekeys.h"
#include "purse.h"
#include "rates.h"

enum { RELAY_SHARDS_MAX = 256 };

struct bootstrap;
struct shard;

struct relay {
	const struct relay_options *options;
	struct coordinators coordinators;
	struct trusted proxies;
	struct bootstrap *bootstrap;
	struct owncert own; /* empty: it was given one, or none */
	struct rates rates;
	struct purses *purses;
	struct buffer metacert; /* DER, behind every chain: tells clients our key, so that they need not wait for it */
	struct private_key key; /* of this process: clients learn it anew with each connection */
	struct public_key public_key;
	struct probekeys probes;
	uint64_t seed; /* of the home of keys, so that nobody can aim at one shard */
	char instance[17];
	struct heldport port, plain_port, stun_port; /* of the doors: where clients come, plain HTTP, STUN */
	int64_t memory_at_start;                     /* bytes */
	struct announcement said;                    /* first shard */
	struct firstcert first_certificate;          /* first shard */
	struct port80 port80;                        /* likewise */
	atomic_bool uncertified;                     /* its certificate is to come: the plain port alone is open */
	atomic_int homes;                            /* clients whose home it is */
	atomic_bool announced, refused, draining;
	atomic_uint shut;   /* shards whose doors are not open any more, or not yet again */
	atomic_llong held;  /* bytes, of all shards (room.h) */
	atomic_uint opened; /* shards that are there; `count` and `shard` may be read once it says all */
	unsigned count;
	struct shard *shard[RELAY_SHARDS_MAX];
};

/* Ports are taken and certificates made; relay_close also after an error. */
MUST_USE enum err relay_open(struct relay *relay, const struct relay_options *options, struct diag *why);
void relay_close(struct relay *relay);
/* Would relay_open like them? Takes no port and makes no file: the relay may be running. */
MUST_USE enum err relay_check(const struct relay_options *options, struct diag *why);
/* May these be in force from now on? */
MUST_USE enum err relay_may_reload(const struct relay_options *options, struct diag *why);
/* Why it is not ready, or NULL. */
const char *relay_not_ready(const struct relay *relay);
/* Which shard a key lives on. */
unsigned relay_home(const struct relay *relay, const struct node_key *key);
unsigned relay_told_port(const struct relay *relay);      /* by which clients come */
const char *relay_certificate(const struct relay *relay); /* PEM paths; NULL: plain */
const char *relay_certificate_key(const struct relay *relay);

#endif
