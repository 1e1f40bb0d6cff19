/* Who is here, as siblings that watch are told: on the shard of the keys, portion by portion, never more than one on its way to a sibling.
 * Not what siblings tell us (mesh.h). However many keys there are, and however slow a sibling is, what waits for it is one portion of each shard; the rest waits in a
 * log that all share, and in the list of clients.
 * One stream per sibling and shard, in order. Source: docs/protocol/derp.md, mesh. */
#ifndef MESHNEWS_H
#define MESHNEWS_H

#include "addr.h"
#include "list.h"
#include "loop.h"
#include "newslog.h"
#include "queue.h"

struct shard;

struct meshnews {
	struct list watchers; /* everywhere */
	struct newslog *log;
	struct defer telling;
	struct timer next; /* another portion for a sibling that is connected here: not in the same turn */
};

void meshnews_open(struct shard *shard);
void meshnews_close(struct shard *shard);

/* A connection came, or the last one of the key has left; on its shard. */
void meshnews_present(struct shard *shard, const struct node_key *key, struct endpoint peer, uint8_t flags);
void meshnews_gone(struct shard *shard, const struct node_key *key);
/* The client of that number, which has proven the mesh key, wants to know who is here; on its shard. */
void meshnews_watch(struct shard *shard, uint64_t client);
void meshnews_unwatch(struct shard *shard, uint64_t client);
/* It has room for the next portion of that shard. */
void meshnews_go_on(struct shard *shard, uint64_t client, unsigned from);

/* Letters of the kinds LETTER_WATCH to LETTER_NEWS_LOST; does not take them. */
void meshnews_take_letter(struct shard *shard, struct packet *letter);

#endif
