/* One relay process and its shards: a shard is one thread's share of the clients, those whose key hashes to it.
 * Not a client (client.h) and not what crosses between shards (crossing.h).
 * The relay is written before the threads start and read-only afterwards, but for its atomics. A shard belongs to its thread; others may only post to its loop.
 * Shards outlive their threads: what was posted late still finds them, closed. */
#ifndef RELAY_H
#define RELAY_H

#include <stdatomic.h>

#include "announce.h"
#include "client.h"
#include "coordinators.h"
#include "crossing.h"
#include "directory.h"
#include "firstcert.h"
#include "heard.h"
#include "limit.h"
#include "mesh.h"
#include "options.h"
#include "owncert.h"
#include "port80.h"
#include "probekeys.h"
#include "purse.h"
#include "rates.h"
#include "relaylife.h"
#include "room.h"
#include "rttlook.h"
#include "server.h"
#include "verify.h"

enum { RELAY_SHARDS_MAX = 256 };

struct bootstrap;
struct prober;
struct relay;
struct stundoor;

struct shard {
	struct relay *relay;
	struct loop *loop;
	struct worker *worker;
	unsigned index, crew;                /* which of how many */
	bool closing;                        /* no new clients */
	const struct relay_options *options; /* in force here; relay.options are those of the start, which is the same but for limits and verify */
	struct directory *directory;
	struct heard *heard;
	struct fetcher *fetcher;
	struct verify *verify;
	struct server *server;
	struct stundoor *stun;
	struct announce *announce; /* on the first shard only */
	struct prober *prober;     /* likewise; NULL: off */
	struct table *clients;     /* connection number -> client */
	struct list in_state[CLIENT_STATE_COUNT];
	struct list walks;              /* of clients, that take several turns */
	struct list guests;             /* handshakes on their way */
	size_t guest_count, guest_held; /* how many, and what they have sent that is not complete */
	uint64_t last_number;
	struct room room;
	struct directory_count counted; /* as last told to the metrics */
	struct limit refusal_log;
	struct crossing crossing;
	struct relaylife life;
	struct mesh mesh;
	struct rttlook rtts;
	_Atomic double queue_ms; /* what packets waited in queues: a mean of which the last one is a tenth */
};

struct relay {
	const struct relay_options *options;
	struct coordinators coordinators;
	struct trusted proxies;
	struct bootstrap *bootstrap;
	struct owncert own; /* empty: not asked for */
	struct rates rates;
	struct purses *purses;
	struct buffer metacert; /* DER, behind every chain: tells clients our key, so that they need not wait for it */
	struct private_key key; /* of this process: clients learn it anew with each connection */
	struct public_key public_key;
	struct probekeys probes;
	uint64_t seed; /* of the home of keys, so that nobody can aim at one shard */
	char instance[17];
	struct endpoint at, stun_at, plain_at;       /* bound; IP_NONE: off */
	int reserved, reserved_stun, reserved_plain; /* sockets that hold the ports until the shards listen */
	int64_t memory_at_start;                     /* bytes */
	int certificate_fd, key_fd;                  /* of the self-signed pair, in memory */
	char certificate[64], certificate_key[64];   /* their paths */
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

MUST_USE enum err relay_open(struct relay *relay, const struct relay_options *options, struct diag *why);
void relay_close(struct relay *relay);
/* May these be in force from now on? */
MUST_USE enum err relay_may_reload(const struct relay_options *options, struct diag *why);
/* Why it is not ready, or NULL. */
const char *relay_not_ready(const struct relay *relay);
/* Which shard a key lives on. */
unsigned relay_home(const struct relay *relay, const struct node_key *key);
unsigned relay_told_port(const struct relay *relay);      /* by which clients come */
const char *relay_certificate(const struct relay *relay); /* PEM paths; NULL: plain */
const char *relay_certificate_key(const struct relay *relay);

/* All shards are there. */
bool shard_complete(const struct shard *shard);
/* On the shard's own thread. */
MUST_USE enum err shard_open(struct relay *relay, struct worker *worker, unsigned count, struct diag *why);
/* Its doors: open, and shut. */
MUST_USE enum err shard_listen(struct shard *shard, struct diag *why);
MUST_USE enum err shard_welcome(struct shard *shard, struct diag *why); /* the doors that wait for a certificate */
void shard_shut(struct shard *shard);
/* From now on these options count, which outlive the next call. */
void shard_reload(struct shard *shard, const struct relay_options *options);
/* Lets clients move, then ends them (relaylife.h). */
void shard_drain(struct shard *shard);
void shard_close(struct shard *shard);

#endif
