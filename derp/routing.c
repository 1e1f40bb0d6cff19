#include "routing.h"

#include "clientparts.h"
#include "metrics_relay.h"

static struct client *find(const struct shard *s, const struct node_key *key)
{
	struct member *m = directory_find(s->directory, key);
	return m ? OWNER_OF(m, struct client, member) : NULL;
}

static void tell_not_here(struct client *c, const struct node_key *peer)
{
	if (!limit_take(&c->not_here, (struct rate){.per_second = 1, .burst = 3}, loop_now(c->shard->loop)))
		return;
	uint8_t frame[DERPFRAME_PEER_GONE_LEN];
	derpframe_encode_peer_gone(frame, peer, DERPFRAME_GONE_NOT_HERE);
	client_add_control(c, frame, sizeof frame);
	relay_count_at(RELAY_PEER_GONE, RELAY_GONE_NOT_HERE, 1);
}

static void take_not_here(struct shard *s, struct packet *p)
{
	struct client *c = table_find_number(s->clients, p->sender);
	if (c && c->state == CLIENT_LIVE)
		tell_not_here(c, &p->to);
	packet_free(&p);
}

/* Only disco gets an answer: it is how a client looks for a peer; data is not. */
static void nobody(struct shard *s, struct packet *p)
{
	relay_count_drop(p->kind == LETTER_FORWARDED ? RELAY_DROP_UNKNOWN_DEST_ON_FWD : RELAY_DROP_UNKNOWN_DEST, p->disco, 1, p->len);
	if (!p->disco) {
		packet_free(&p);
	} else if (p->from_loop == s->index) {
		take_not_here(s, p);
	} else {
		/* The key alone: nobody needs the payload any more. */
		struct packet *answer = packet_new(&p->to, &p->to, 0);
		answer->kind = LETTER_NOT_HERE;
		answer->sender = p->sender;
		crossing_send(s, p->from_loop, answer);
		packet_free(&p);
	}
}

static void deliver(struct shard *s, struct packet *p)
{
	struct client *c = find(s, &p->to);
	if (c)
		client_push(c, p);
	else if (p->kind == LETTER_FORWARDED || !mesh_forward(s, p))
		nobody(s, p);
}

static void count_received(struct client *c, const struct packet *p)
{
	if (p->kind == LETTER_FORWARDED) {
		relay_count(RELAY_FORWARDED_IN, 1);
		return;
	}
	c->received++;
	relay_count_at(RELAY_PACKETS_RECEIVED, p->disco ? RELAY_KIND_DISCO : RELAY_KIND_OTHER, 1);
	relay_count(RELAY_BYTES_RECEIVED, p->len);
}

void routing_packet(struct client *c, struct packet *p, enum letter_kind kind)
{
	struct shard *s = c->shard;
	p->disco = derpframe_is_disco(bytes_of(packet_payload(p), p->len));
	p->kind = (uint8_t)kind;
	p->sender = c->number;
	p->from_loop = (uint16_t)s->index;
	count_received(c, p);
	unsigned home = relay_home(s->relay, &p->to);
	if (home == s->index)
		deliver(s, p);
	else
		crossing_send(s, home, p);
}

static void on_peer_left(struct hearer *hearer, const struct node_key *source)
{
	struct client *c = OWNER_OF(hearer, struct client, hearer);
	uint8_t frame[DERPFRAME_PEER_GONE_LEN];
	derpframe_encode_peer_gone(frame, source, DERPFRAME_GONE_DISCONNECTED);
	client_add_control(c, frame, sizeof frame);
	relay_count_at(RELAY_PEER_GONE, RELAY_GONE_DISCONNECTED, 1);
}

void routing_tell_left(struct shard *s, const struct node_key *key)
{
	heard_gone(s->heard, key, on_peer_left);
	crossing_tell_left(s, key);
}

void routing_letter(struct shard *s, struct packet *letter)
{
	switch ((enum letter_kind)letter->kind) {
	case LETTER_PACKET:
	case LETTER_FORWARDED:
		deliver(s, letter);
		return;
	case LETTER_NOT_HERE:
		take_not_here(s, letter);
		return;
	case LETTER_LEFT:
		heard_gone(s->heard, &letter->to, on_peer_left);
		packet_free(&letter);
		return;
	default:
		mesh_take_letter(s, letter);
		return;
	}
}
