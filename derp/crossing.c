#include "crossing.h"

#include <stdlib.h>

#include "metrics_relay.h"
#include "routing.h"
#include "shard.h"

/* Payload that may wait for one shard: some 20 ms of what a core relays. */
enum { WAITING_MAX = 16 << 20 };

struct batch {
	struct shard *to;
	struct packet *first;
	size_t bytes;
};

/* What may be dropped on the way; news may not. */
static bool is_packet(uint8_t kind)
{
	return kind == LETTER_PACKET || kind == LETTER_FORWARDED || kind == LETTER_FORWARD;
}

static void lose(struct packet *letter, enum relay_drop reason)
{
	if (is_packet(letter->kind))
		relay_count_drop(reason, letter->disco, 1, letter->len);
	packet_free(&letter);
}

static void on_arrived(void *context)
{
	struct batch *b = context;
	struct shard *s = b->to;
	atomic_fetch_sub_explicit(&s->crossing.waiting, b->bytes, memory_order_relaxed);
	while (b->first) {
		struct packet *letter = b->first;
		b->first = letter->next;
		letter->next = NULL;
		if (s->closing)
			lose(letter, RELAY_DROP_GONE);
		else
			routing_letter(s, letter);
	}
	free(b);
}

static void outbox_init(struct outbox *o)
{
	*o = (struct outbox){0};
	o->end = &o->first;
}

/* Packets go, news stay. */
static void drop_packets(struct outbox *o)
{
	struct packet *rest = o->first;
	outbox_init(o);
	while (rest) {
		struct packet *letter = rest;
		rest = letter->next;
		letter->next = NULL;
		if (!is_packet(letter->kind)) {
			*o->end = letter;
			o->end = &letter->next;
			continue;
		}
		lose(letter, RELAY_DROP_CROSSING);
	}
}

static void post(struct shard *from, unsigned to)
{
	struct outbox *o = &from->crossing.to[to];
	struct shard *target = from->relay->shard[to];
	if (!o->first)
		return;
	if (atomic_load_explicit(&target->crossing.waiting, memory_order_relaxed) + o->bytes > WAITING_MAX)
		drop_packets(o);
	if (o->first) {
		struct batch *b = x_alloc(sizeof(*b));
		*b = (struct batch){.to = target, .first = o->first, .bytes = o->bytes};
		atomic_fetch_add_explicit(&target->crossing.waiting, b->bytes, memory_order_relaxed);
		relay_count(RELAY_PACKETS_CROSSED, o->count);
		loop_post(target->loop, on_arrived, b);
	}
	outbox_init(o);
}

static void on_turn_end(void *context)
{
	struct shard *s = context;
	for (unsigned i = 0; i < s->relay->count; i++)
		post(s, i);
}

void crossing_open(struct shard *s, unsigned count)
{
	struct crossing *c = &s->crossing;
	c->to = x_alloc(sizeof(*c->to) * count);
	for (unsigned i = 0; i < count; i++)
		outbox_init(&c->to[i]);
	defer_init(&c->posting, on_turn_end, s);
}

void crossing_close(struct shard *s)
{
	on_turn_end(s);
	defer_cancel(&s->crossing.posting);
	free(s->crossing.to);
	s->crossing.to = NULL;
}

void crossing_send(struct shard *from, unsigned to, struct packet *letter)
{
	if (!from->crossing.to) {
		lose(letter, RELAY_DROP_GONE);
		return;
	}
	struct outbox *o = &from->crossing.to[to];
	packet_keep(&letter);
	letter->next = NULL;
	*o->end = letter;
	o->end = &letter->next;
	if (is_packet(letter->kind)) {
		o->bytes += letter->len;
		o->count++;
	}
	loop_defer(from->loop, &from->crossing.posting);
}

void crossing_tell_left(struct shard *from, const struct node_key *key)
{
	for (unsigned i = 0; i < from->relay->count; i++) {
		if (i == from->index)
			continue;
		struct packet *letter = packet_new(key, key, 0);
		letter->kind = LETTER_LEFT;
		crossing_send(from, i, letter);
	}
}
