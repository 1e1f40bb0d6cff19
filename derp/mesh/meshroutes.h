/* Node key -> the links to siblings that said it is connected there, on the key's home shard. Of several the one that said so first is used.
 * Not the links (siblings.h) and not the connections of this relay (directory.h).
 * Source: docs/protocol/derp.md, mesh. */
#ifndef MESHROUTES_H
#define MESHROUTES_H

#include "key.h"
#include "table.h"

struct meshlink_at {
	uint32_t number; /* of the link in its shard */
	uint16_t shard;
};

struct meshroutes;

enum { MESHROUTES_MOST = 4000000 }; /* of a shard: some 600 MB, more clients than a region's relays hold */

/* Keeps `most` pairs of key and link; what is beyond is left out and counted, until others go. */
struct meshroutes *meshroutes_new(size_t most);
void meshroutes_free(struct meshroutes **routes);         /* accepts NULL */
size_t meshroutes_count(const struct meshroutes *routes); /* keys */
/* False: it was known, or there is no room. */
bool meshroutes_add(struct meshroutes *routes, const struct node_key *key, struct meshlink_at link);
/* True: that was the last one of the key. */
bool meshroutes_remove(struct meshroutes *routes, const struct node_key *key, struct meshlink_at link);
bool meshroutes_find(const struct meshroutes *routes, const struct node_key *key, struct meshlink_at *link);
/* The link broke: on_last for each key that had no other. It must not add routes. */
void meshroutes_clear(struct meshroutes *routes, struct meshlink_at link, void (*on_last)(void *context, const struct node_key *key), void *context);

#endif
