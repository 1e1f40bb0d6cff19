/* One relay client that has proven its key: admission, frames in, packets out, its only exit.
 * Not the handshake before that (handshake.h). It lives on the shard that its key hashes to.
 * A client owns its pipe and its queues; client_end ends it, and frees at the end of the turn. */
#ifndef CLIENT_H
#define CLIENT_H

#include "metrics_relay.h"
#include "pipe.h"
#include "queue.h"

struct client;
struct shard;

enum client_state {
	CLIENT_ASKING, /* a coordinator is asked about its key; nothing is read */
	CLIENT_LIVE,   /* in the directory, ServerInfo sent */
	CLIENT_ENDED,  /* until the end of the turn */
	CLIENT_STATE_COUNT
};

/* How a client came. */
struct client_way {
	struct endpoint peer;
	bool not_ideal; /* it would rather be at another node */
	bool bridged;   /* by a WebSocket: its bridge, which knows what it takes, ends it when that is nothing (wsbridge.h) */
};

/* Takes the pipe, paused, on the key's own shard, which does not leave. Refused clients are closed without a word, as stock relays do. */
void client_admit(struct shard *shard, struct pipe *pipe, const struct client_way *way, const struct derpframe_client_info *info);

/* For the mesh. Frames that `from` has for a client that has proven the mesh key; meshnews_go_on when they have gone out.
 * One that cannot hear all of it ends, since it must not believe too much. */
void client_tell_sibling(struct shard *shard, uint64_t number, unsigned from, struct bytes frames);
void client_cut_sibling(struct shard *shard, uint64_t number);
/* As siblings are told of it. */
void client_encode_present(const struct client *client, uint8_t frame[static DERPFRAME_PRESENT_LEN]);
/* Siblings that have proven a key which counts no more end. */
void client_check_siblings(struct shard *shard);
void client_end_key(struct shard *shard, const struct node_key *key);
/* Tells all that the relay goes, and ends them at random within spread_ms, each when it has taken what waits for it. */
void client_part_all(struct shard *shard, int64_t spread_ms);
/* Idempotent. */
void client_end(struct client *client, enum relay_end why);
void client_end_all(struct shard *shard);

#endif
