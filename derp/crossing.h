/* What goes from one shard to another: packets, answers about keys that are not there, and keys that have left. One post per target and turn.
 * Not a directory. Order is kept between two shards. Bounded: past the cap packets are dropped, news about keys are not.
 * Letters are packets (queue.h) owned by whoever holds them. */
#ifndef CROSSING_H
#define CROSSING_H

#include <stdatomic.h>

#include "loop.h"
#include "queue.h"

struct shard;

enum letter_kind {
	LETTER_PACKET,   /* to the shard where `to` lives */
	LETTER_NOT_HERE, /* back to the shard it came from: `to` is not connected here */
	LETTER_LEFT,     /* to all: the key `to` has no connection any more */
	/* The mesh's; `sender` is the number of a client that watches, or of a link. */
	LETTER_FORWARDED,   /* a packet of a sibling's client to the shard where `to` lives: it goes no further */
	LETTER_FORWARD,     /* a packet to the shard of the link `via` */
	LETTER_WATCH,       /* to all */
	LETTER_UNWATCH,     /* to all */
	LETTER_NEWS,        /* to the shard of the watcher: frames for it */
	LETTER_NEWS_ON,     /* to the shard they came from: they have gone out */
	LETTER_NEWS_LOST,   /* to the shard of the watcher: there is more than is kept */
	LETTER_ROUTE,       /* to the shard where `to` lives: a link has it */
	LETTER_UNROUTE,     /* it has it no more */
	LETTER_UNROUTE_ALL, /* to all: the link broke */
	LETTER_CLOSE_PEER   /* to the shard where `to` lives: its connections shall end */
};

struct outbox {
	struct packet *first, **end;
	unsigned count;
	size_t bytes;
};

struct crossing {
	struct outbox *to; /* one per shard */
	struct defer posting;
	atomic_size_t waiting; /* payload bytes of packets posted to this shard and not yet taken out */
};

void crossing_open(struct shard *shard, unsigned count);
void crossing_close(struct shard *shard);
/* Takes the letter. Not to itself. */
void crossing_send(struct shard *from, unsigned to, struct packet *letter);
/* Tells all other shards that a key has left. */
void crossing_tell_left(struct shard *from, const struct node_key *key);

#endif
