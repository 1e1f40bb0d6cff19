/* The links of a shard to siblings of its region: dialed, proven by the mesh key, kept; packets go out by them, news of keys come in.
 * Not who has which key (mesh.h). Each sibling has one link of the whole relay, on the shard that its name falls to.
 * Bounded queues per link, the oldest packets go first; what all may hold together is the room's (room.h). Source: docs/protocol/derp.md, mesh. */
#ifndef SIBLINGS_H
#define SIBLINGS_H

#include "queue.h"
#include "told.h"

struct shard;

/* Links to those that are ours to dial, and to no others. Called again and again. */
void siblings_follow(struct shard *shard, const struct told *told);
/* A LETTER_FORWARD; takes it. */
void siblings_send(struct shard *shard, struct packet *packet);
void siblings_close(struct shard *shard);

/* Bytes of packets that wait for those that have not taken what they were given before. */
size_t siblings_waiting(const struct shard *shard);
/* Of them the one for which most waits loses its oldest packets: so many bytes or more, or all. */
void siblings_give_way(struct shard *shard, size_t bytes);

#endif
