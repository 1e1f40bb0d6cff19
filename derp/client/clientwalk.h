/* A walk along all clients of a shard that are live when it begins, each once, over as many turns as it takes; of those that come meanwhile along some.
 * Not what is done with them. A client that ends leaves the walks that stand at it.
 * Its user owns it and ends it. */
#ifndef CLIENTWALK_H
#define CLIENTWALK_H

#include "list.h"

struct client;
struct shard;

struct clientwalk {
	struct list link;
	struct list *next, *end;
};

void clientwalk_begin(struct shard *shard, struct clientwalk *walk);
struct client *clientwalk_next(struct clientwalk *walk); /* NULL: no more */
bool clientwalk_goes(const struct clientwalk *walk);     /* begun, and not ended; false for one that is all zero */
void clientwalk_end(struct clientwalk *walk);            /* legal on one that does not go */
/* The client is live no more. */
void clientwalk_leave(const struct client *client);

#endif
