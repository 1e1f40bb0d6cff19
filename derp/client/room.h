/* What one shard holds for its clients, and who gives way when that is too much.
 * Not the depth of a queue (queue.h: 32 packets of each class, whatever their length) and not the rates (rates.h, purse.h).
 * The rules. limits.queued: bytes of packets that wait, on this shard. While they are all taken a client that holds more than its share (all, by the number of those
 * that wait) loses its own oldest packets to its newest; one that holds less gets room from one that holds more, and only when none is found near the head of the
 * line its new packet is dropped.
 * limits.memory: of the relay: packets and news that wait, for siblings too, what connections have not taken or not said to the end, those to siblings and those of
 * WebSockets included, and 16 KiB for each connection (2 KiB without TLS). From 7/8 of it on new connections are closed at once. Beyond it on a shard that holds more
 * than its even part those give way for whom more waits: slow clients or slow siblings. Of the clients those that have taken nothing for longest lose all that waits, one
 * after the other; of the siblings the one for which most waits loses its oldest packets. When that is not enough nothing more waits for who takes nothing. Others notice
 * nothing.
 * limits.accepts: connections that are accepted per second; beyond it they are closed at once, and the accepting goes on.
 * A room belongs to its shard; the sum of all is the relay's, told in steps of 64 KiB and each quarter of a second. */
#ifndef ROOM_H
#define ROOM_H

#include "dispatch.h"
#include "limit.h"
#include "list.h"
#include "loop.h"
#include "queue.h"

struct client;
struct shard;

struct room {
	struct list line; /* clients for whom something waits longer than a turn; who has taken nothing for longest comes first */
	size_t line_count;
	size_t queued;  /* bytes of packets that wait */
	size_t held;    /* by clients beside that */
	size_t bridged; /* by WebSockets (wsbridge.h) */
	int64_t told;   /* as the relay knows it */
	struct limit accepts, log;
	struct timer look; /* with limits.memory */
};

void room_open(struct shard *shard);
void room_close(struct shard *shard);
void room_reload(struct shard *shard); /* its options are others */
/* For server_limits. */
bool room_may_come(void *shard, enum door door);
/* New connections are to go. */
bool room_is_scarce(const struct shard *shard);
/* The sum may have changed. */
void room_tell(struct shard *shard);

/* Makes room for the packet; false: there is none, and it was dropped. */
bool room_make(struct client *client, struct packet *packet);
/* Likewise for a packet to a sibling. slow: it has not taken what it was given before. */
bool room_make_for_sibling(struct shard *shard, bool slow, struct packet *packet);
void room_add(struct client *client, size_t bytes); /* into its queues */
void room_take(struct client *client, size_t bytes);
/* What it holds beside its queues may have changed. */
void room_count(struct client *client);
/* It has taken what waited, or some of it, or nothing. */
void room_wait(struct client *client);
void room_moved(struct client *client);
void room_leave(struct client *client);

#endif
