#include "queue.h"

#include <stdlib.h>

enum { SPARE_MOST = 1024 };

/* Lent packets are alike, short-lived and stay in their thread. */
static __thread struct packet *spare;
static __thread unsigned spare_count;

struct packet *packet_new(const struct node_key *from, const struct node_key *to, uint32_t len)
{
	struct packet *p = x_alloc(sizeof(*p) + DERPFRAME_RECV_HEADER_LEN + len);
	*p = (struct packet){.to = *to, .len = len, .frame = p->own};
	derpframe_encode_recv(p->frame, from, len);
	return p;
}

struct packet *packet_lend(const struct node_key *from, const struct node_key *to, uint8_t *frame, uint32_t len)
{
	struct packet *p = spare;
	if (p)
		spare = p->next, spare_count--;
	else
		p = x_alloc(sizeof(*p));
	*p = (struct packet){.to = *to, .len = len, .lent = true, .frame = frame};
	derpframe_encode_recv(frame, from, len);
	return p;
}

void packet_keep(struct packet **packet)
{
	struct packet *lent = *packet;
	if (!lent->lent)
		return;
	struct packet *p = x_alloc(sizeof(*p) + packet_frame_len(lent));
	*p = *lent;
	p->lent = false;
	p->frame = p->own;
	memcpy(p->own, lent->frame, packet_frame_len(lent));
	packet_free(&lent);
	*packet = p;
}

void packet_free(struct packet **packet)
{
	struct packet *p = *packet;
	*packet = NULL;
	if (!p || !p->lent || spare_count == SPARE_MOST) {
		free(p);
		return;
	}
	p->next = spare;
	spare = p;
	spare_count++;
}

void packet_spare_clear(void)
{
	while (spare) {
		struct packet *p = spare;
		spare = p->next;
		free(p);
	}
	spare_count = 0;
}

void packet_source(const struct packet *p, struct node_key *source)
{
	memcpy(source->raw, p->frame + DERPFRAME_HEADER_LEN, KEY_LEN);
}

void queue_init(struct queue *q)
{
	*q = (struct queue){0};
	q->end = &q->first;
}

void queue_add(struct queue *q, struct packet *packet)
{
	packet->next = NULL;
	*q->end = packet;
	q->end = &packet->next;
	q->count++;
	q->bytes += packet_frame_len(packet);
}

struct packet *queue_cut(struct queue *q)
{
	return q->count > QUEUE_DEPTH ? queue_pop(q) : NULL;
}

struct packet *queue_cut_to(struct queue *q, unsigned count, size_t bytes)
{
	return q->count > count || q->bytes > bytes ? queue_pop(q) : NULL;
}

void queue_keep(struct queue *q)
{
	for (struct packet **at = &q->first; *at; at = &(*at)->next) {
		packet_keep(at);
		if (!(*at)->next)
			q->end = &(*at)->next;
	}
}

struct packet *queue_pop(struct queue *q)
{
	struct packet *p = q->first;
	if (!p)
		return NULL;
	q->first = p->next;
	if (!q->first)
		q->end = &q->first;
	p->next = NULL;
	q->count--;
	q->bytes -= packet_frame_len(p);
	return p;
}

unsigned queue_clear(struct queue *q)
{
	unsigned lost = q->count;
	struct packet *p;
	while ((p = queue_pop(q)))
		packet_free(&p);
	return lost;
}
