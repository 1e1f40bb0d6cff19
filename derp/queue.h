/* One packet on its way, and the bounded queue of packets that wait for one client.
 * Not the socket: client.h writes. A full queue drops its oldest packet, so that what arrives is fresh. Depth counts packets, never bytes.
 * A packet has one owner at a time and is one block of memory, which may change threads; queue_clear ends those that wait. */
#ifndef QUEUE_H
#define QUEUE_H

#include "derpframe.h"

/* Packets waiting per class (disco, other) and client. Source: docs/protocol/derp.md, queues (tailscale derp/derpserver, 32). */
enum { QUEUE_DEPTH = 32 };

struct packet {
	struct packet *next;
	struct node_key to;
	uint64_t sender; /* connection number on the loop it came in by */
	uint16_t from_loop;
	uint8_t kind; /* enum letter_kind, while it crosses loops (crossing.h) */
	bool disco;
	uint32_t len;    /* of the payload */
	uint8_t frame[]; /* the RecvPacket frame as it will be sent: header, source key, payload */
};

/* The payload is to be filled by the caller. */
struct packet *packet_new(const struct node_key *from, const struct node_key *to, uint32_t len);
void packet_free(struct packet **packet); /* accepts NULL, leaves NULL */
static inline uint8_t *packet_payload(struct packet *p)
{
	return p->frame + DERPFRAME_RECV_HEADER_LEN;
}
static inline size_t packet_frame_len(const struct packet *p)
{
	return DERPFRAME_RECV_HEADER_LEN + p->len;
}
void packet_source(const struct packet *p, struct node_key *source);

struct queue {
	struct packet *first, **end;
	unsigned count;
	size_t bytes; /* of frames that wait */
};

void queue_init(struct queue *q);
/* Takes the packet. Returns the oldest one, the caller's, when there was no room for both. */
MUST_USE struct packet *queue_push(struct queue *q, struct packet *packet);
struct packet *queue_pop(struct queue *q); /* NULL when empty */
unsigned queue_clear(struct queue *q);     /* returns how many were lost */

#endif
