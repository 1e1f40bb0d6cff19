/* The mesh inside a region, on one shard: which keys siblings have, packets from and to siblings.
 * Not the links that we dial (siblings.h), not the connections that siblings dialed (client.h) and not what those are told of us (meshnews.h).
 * Everything travels between shards as letters (crossing.h), so that news of one key keep their order. Source: docs/protocol/derp.md, mesh. */
#ifndef MESH_H
#define MESH_H

#include "addr.h"
#include "crossing.h"
#include "list.h"
#include "meshnews.h"
#include "meshroutes.h"
#include "queue.h"

struct shard;

struct mesh {
	struct meshroutes *routes; /* of keys whose home is this shard */
	struct meshnews news;
	struct list accepted;  /* siblings that dialed us and live here (clientparts.h) */
	struct list links;     /* those that live here (siblings.h) */
	struct table *link_of; /* number -> link */
	uint32_t last_link;
	size_t told;    /* routes, as last told to the metrics */
	size_t waiting; /* bytes of packets that wait for links */
	size_t unsent;  /* bytes that links' connections have not taken */
};

void mesh_open(struct shard *shard);
void mesh_close(struct shard *shard);

/* A packet to a key that has no connection here: takes it when a sibling has the key. On the key's home shard. */
bool mesh_forward(struct shard *shard, struct packet *packet);
bool mesh_reaches(const struct shard *shard, const struct node_key *key);
/* A sibling wants the connections of a key closed. */
void mesh_close_peer(struct shard *shard, const struct node_key *key);
/* What a link that lives here was told. */
void mesh_learn(struct shard *shard, uint32_t link, const struct node_key *key, bool present);
void mesh_forget_link(struct shard *shard, uint32_t link);

/* Letters of the mesh: to be filled by the caller, who has them until they are posted; to this shard they are given at once. */
struct packet *mesh_letter(const struct shard *shard, enum letter_kind kind, const struct node_key *key, uint64_t about, uint32_t len);
void mesh_post(struct shard *shard, unsigned to, struct packet *letter);
void mesh_post_to_all(struct shard *shard, enum letter_kind kind, uint64_t about);
/* What came from another shard, of the kinds that are the mesh's; takes it. */
void mesh_take_letter(struct shard *shard, struct packet *letter);

#endif
