/* The mesh inside a region, on one shard: which keys siblings have, who watches ours, packets from and to siblings.
 * Not the links that we dial (siblings.h) and not the connections that siblings dialed (client.h).
 * Everything travels between shards as letters (crossing.h), so that news of one key keep their order. Source: docs/protocol/derp.md, mesh. */
#ifndef MESH_H
#define MESH_H

#include "addr.h"
#include "list.h"
#include "meshroutes.h"
#include "queue.h"

struct shard;

struct mesh {
	struct meshroutes *routes; /* of keys whose home is this shard */
	struct list watchers;      /* everywhere */
	struct list links;         /* those that live here (siblings.h) */
	struct table *link_of;     /* number -> link */
	uint32_t last_link;
	size_t told; /* routes, as last told to the metrics */
};

void mesh_open(struct shard *shard);
void mesh_close(struct shard *shard);

/* A packet to a key that has no connection here: takes it when a sibling has the key. On the key's home shard. */
bool mesh_forward(struct shard *shard, struct packet *packet);
bool mesh_reaches(const struct shard *shard, const struct node_key *key);
/* A connection came, or the last one of the key has left; on its shard. */
void mesh_tell_present(struct shard *shard, const struct node_key *key, struct endpoint peer, uint8_t flags);
void mesh_tell_gone(struct shard *shard, const struct node_key *key);
/* The client of that number, which has proven the mesh key, wants to know who is here; on its shard. */
void mesh_watch(struct shard *shard, uint64_t client);
void mesh_unwatch(struct shard *shard, uint64_t client);
/* It wants the connections of a key closed. */
void mesh_close_peer(struct shard *shard, const struct node_key *key);
/* What a link that lives here was told. */
void mesh_learn(struct shard *shard, uint32_t link, const struct node_key *key, bool present);
void mesh_forget_link(struct shard *shard, uint32_t link);

/* What came from another shard, of the kinds that are the mesh's; takes it. */
void mesh_take_letter(struct shard *shard, struct packet *letter);

#endif
