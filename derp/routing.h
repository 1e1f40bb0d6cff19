/* Where a packet goes: to a client of this shard or of another, by a sibling of the region, or to nobody, of which its sender is told. And who is told that a key left.
 * Not who has which key (directory.h, mesh.h), not the way between shards (crossing.h) and not the queue of the one who gets it (client.h).
 * Nothing is owned; on the shard's thread. Source: docs/protocol/derp.md, routing and PeerGone. */
#ifndef ROUTING_H
#define ROUTING_H

#include "crossing.h"

struct client;

/* Whole, from a client; takes it. LETTER_PACKET: to whoever has the key. LETTER_FORWARDED: from a sibling, hence to a client of ours or to nobody, never to another
 * sibling. */
void routing_packet(struct client *from, struct packet *packet, enum letter_kind kind);
/* What came from another shard; takes it. */
void routing_letter(struct shard *shard, struct packet *letter);
/* The key can be reached no more, here or at siblings: those that heard of it are told. */
void routing_tell_left(struct shard *shard, const struct node_key *key);

#endif
