/* One open map stream: presence, subscription to the mapper, keep-alive, and at most one frame that waits for room.
 * Not what is in a frame: bytes come from the mapper and go to the client.
 * A poll belongs to its exchange: it ends with it, by the mapper, by a newer stream of the node, or by the drain. */
#ifndef POLL_H
#define POLL_H

#include "coordinator.h"
#include "mapmsg.h"
#include "node.h"

/* Answers the exchange with a stream. `node` is read during the call only. A newer poll of the same node ends an older one. */
void poll_open(struct exchange *x, const struct node *node, const struct map_request *request);
/* By bus/presence: a newer session of that node exists somewhere. */
void poll_replaced(struct coordinator *c, uint64_t tailnet, uint64_t node, uint64_t session);
/* The host that the client of the node's stream dialled. False: no stream here, or it has not had its first frame. */
bool poll_host(struct coordinator *c, uint64_t tailnet, uint64_t node, struct bytes *host);
/* A frame of the coordinator's own, as JSON text, when the stream has room; a newer one takes the place of one that waits. */
void poll_ask(struct coordinator *c, uint64_t node, struct bytes json);
/* Drain: END_STREAM on all, so that clients poll elsewhere at once. */
void poll_end_all(struct coordinator *c);
/* The worker's table of polls; while it stands, every open stream's node is marked as seen each half minute (a row: survives the loss of Redis). */
void polls_start(struct coordinator *c);
void polls_stop(struct coordinator *c);

#endif
