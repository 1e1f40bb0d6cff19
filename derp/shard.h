/* One thread's share of a relay: the clients whose keys hash to it, with doors, directory and mesh of its own.
 * Not what shards share (relay.h), not a client (client.h) and not what crosses between shards (crossing.h).
 * It belongs to its thread; others may only post to its loop. It outlives its thread, closed, and is freed with the relay. */
#ifndef SHARD_H
#define SHARD_H

#include "client.h"
#include "crossing.h"
#include "directory.h"
#include "heard.h"
#include "limit.h"
#include "mesh.h"
#include "recheck.h"
#include "relay.h"
#include "relaylife.h"
#include "room.h"
#include "rttlook.h"
#include "server.h"
#include "verify.h"

struct announce;
struct prober;
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
	struct recheck rechecks;
	struct mesh mesh;
	struct rttlook rtts;
	_Atomic double queue_ms; /* what packets waited in queues: a mean of which the last one is a tenth */
};

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
