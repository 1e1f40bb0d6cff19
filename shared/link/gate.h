/* Mapper end of the link: accepts coordinators that know the cluster secret, takes subscriptions, sends bodies, chunks and ends.
 * Not what to send (mapper/). One gate per loop, with its own address.
 * The worker owns the gate; a gate_stream is the gate's, its `user` the mapper's, until on_close. */
#ifndef GATE_H
#define GATE_H

#include "addr.h"
#include "body.h"
#include "linkframe.h"
#include "loop.h"

struct gate;
struct gate_peer; /* one coordinator loop's connection */

struct gate_stream {
	struct gate_peer *peer;
	struct link_subscribe request;
	bool free; /* credit */
	void *user;
};

struct gate_events {
	void (*on_open)(void *context, struct gate_stream *s);
	void (*on_free)(void *context, struct gate_stream *s);                     /* credit came back */
	void (*on_stands)(void *context, struct gate_stream *s, uint64_t version); /* it was told less than we thought */
	void (*on_close)(void *context, struct gate_stream *s);                    /* by the coordinator or by loss; s goes */
};

struct gate *gate_new(struct loop *loop, struct endpoint at, struct bytes cluster_secret, const struct gate_events *events, void *context, struct diag *why);
void gate_free(struct gate **gate); /* ends every stream with LINK_END_DRAIN first */
struct endpoint gate_endpoint(const struct gate *gate);

/* One body for many streams at one version: grouped by peer, sent once to each. */
void gate_send(struct gate *gate, struct gate_stream *const *streams, size_t count, uint64_t version, struct bytes body);

/* A full map. A chunk is named by the hash of its bytes and sent to a peer before its first reference. */
struct gate_piece {
	struct body *body;         /* borrowed */
	const uint8_t *chunk_name; /* NULL: private bytes */
};
void gate_send_full(struct gate_stream *s, uint64_t version, const struct gate_piece *pieces, size_t count);
void gate_end(struct gate_stream *s, enum link_end reason); /* on_close follows at the end of the turn */
size_t gate_unsent(const struct gate_peer *peer);           /* bytes waiting: when to stretch the tick */

#endif
