/* One packet on its way, and the packets that wait for one client.
 * Not the socket: client.h writes. A queue whose client takes nothing is cut to its depth, oldest first, so that what arrives is fresh. Depth counts packets, never bytes.
 * A packet has one owner at a time. Lent ones lie in what their turn has read and must be sent, dropped or kept before it ends; others may change threads. */
#ifndef QUEUE_H
#define QUEUE_H

#include "derpframe.h"

/* Packets waiting per class (disco, other) and client. Source: docs/protocol/derp.md, queues (tailscale derp/derpserver, 32). */
enum { QUEUE_DEPTH = 32 };

struct packet {
	struct packet *next;
	struct node_key to;
	uint64_t sender; /* connection number on the loop it came in by */
	uint32_t via;    /* link to a sibling, of a packet that goes there */
	uint16_t from_loop;
	uint8_t kind; /* enum letter_kind, while it crosses loops (crossing.h) */
	bool disco : 1, lent : 1;
	uint32_t since_ms; /* when it was queued, modulo 2^32 */
	uint32_t len;      /* of the payload */
	uint8_t *frame;    /* the RecvPacket frame as it will be sent: header, source key, payload */
	uint8_t own[];
};

/* The payload is to be filled by the caller. */
struct packet *packet_new(const struct node_key *from, const struct node_key *to, uint32_t len);
/* `frame` lies in what the turn has read: DERPFRAME_RECV_HEADER_LEN bytes, which are written here, and the payload behind them. */
struct packet *packet_lend(const struct node_key *from, const struct node_key *to, uint8_t *frame, uint32_t len);
/* A lent packet gets memory of its own, and another address. */
void packet_keep(struct packet **packet);
void packet_free(struct packet **packet); /* accepts NULL, leaves NULL */
/* The thread ends: what it keeps for its next packets is freed. */
void packet_spare_clear(void);
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
void queue_add(struct queue *q, struct packet *packet);                     /* takes it */
struct packet *queue_cut(struct queue *q);                                  /* the oldest one, the caller's, while there are more than QUEUE_DEPTH; then NULL */
struct packet *queue_cut_to(struct queue *q, unsigned count, size_t bytes); /* so, while there are more packets or more bytes of frames than that */
void queue_keep(struct queue *q);                                           /* packet_keep of all */
struct packet *queue_pop(struct queue *q);                                  /* NULL when empty */
unsigned queue_clear(struct queue *q);                                      /* returns how many were lost */

#endif
