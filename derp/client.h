/* One relay client that has proven its key: admission, frames in, packets out, its only exit.
 * Not the handshake before that (handshake.h). It lives on the shard that its key hashes to.
 * A client owns its pipe and its queues; client_end ends it, and frees at the end of the turn. */
#ifndef CLIENT_H
#define CLIENT_H

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

/* Takes the pipe, paused, on the key's own shard. not_ideal: it would rather be at another node. Refused clients are closed without a word, as stock relays do. */
void client_admit(struct shard *shard, struct pipe *pipe, struct endpoint peer, bool not_ideal, const struct derpframe_client_info *info);
/* What came from another shard; takes it. */
void client_take_letter(struct shard *shard, struct packet *letter);
/* Idempotent. */
void client_end(struct client *client, enum err why);
void client_end_all(struct shard *shard);

#endif
