#include "clientparts.h"

#include "log.h"
#include "metrics_relay.h"

enum {
	HOME_SETTLES_MS = 5000, /* a home noted so early is not a move */
};

/* ---- routing ---- */

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

/* LETTER_PACKET: to whoever has the key. LETTER_FORWARDED: from a sibling, hence to a client of ours or to nobody, never to another sibling. */
static void route(struct client *c, struct packet *p, enum letter_kind kind)
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

void client_tell_left(struct shard *s, const struct node_key *key)
{
	heard_gone(s->heard, key, on_peer_left);
	crossing_tell_left(s, key);
}

void client_take_letter(struct shard *s, struct packet *letter)
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

/* ---- in ---- */

static void on_note_preferred(struct client *c, const uint8_t *payload)
{
	bool preferred = payload[0] != 0;
	if (preferred == c->preferred)
		return;
	c->preferred = preferred;
	relay_count(RELAY_HOME_CONNECTIONS, preferred ? 1 : -1);
	atomic_fetch_add_explicit(&c->shard->relay->homes, preferred ? 1 : -1, memory_order_relaxed);
	if (loop_now(c->shard->loop).ms - c->begun.ms > HOME_SETTLES_MS)
		relay_count(preferred ? RELAY_HOME_MOVES_IN : RELAY_HOME_MOVES_OUT, 1);
}

/* One pong waits at most: a ping while it does is not answered. */
static void on_ping(struct client *c, const uint8_t *payload)
{
	relay_count(RELAY_GOT_PING, 1);
	if (c->pong_waits)
		return;
	uint8_t frame[DERPFRAME_PONG_LEN];
	derpframe_encode_pong(frame, payload);
	c->pong_waits = true;
	client_add_control(c, frame, sizeof frame);
}

static void on_send_packet(struct client *c, const uint8_t *payload, uint32_t len)
{
	struct node_key to;
	memcpy(to.raw, payload, KEY_LEN);
	c->incoming = packet_new(&c->key, &to, len - KEY_LEN);
	c->incoming_len = 0;
}

/* The frame is there as a whole: it goes on from where it lies. */
static void pass_on(struct client *c, uint8_t *frame, uint32_t len)
{
	struct node_key to;
	memcpy(to.raw, frame + DERPFRAME_HEADER_LEN, KEY_LEN);
	route(c, packet_lend(&c->key, &to, frame, len - KEY_LEN), LETTER_PACKET);
}

/* The head of a frame: header, and as much of its payload as is wanted at once. False: more bytes are needed. */
static bool begin(struct client *c, struct buffer *in)
{
	struct derpframe_header h;
	if (derpframe_decode(buffer_bytes(in), &h))
		return false;
	enum err e = derpframe_check(h);
	if (e == ERR_DENIED && c->mesh)
		return client_begin_mesh_frame(c, in, h);
	if (e && e != ERR_UNSUPPORTED) {
		log_info(SUBJECT("client"), "frame refused", F_UINT("number", c->number), F_UINT("type", h.type), F_UINT("len", h.len), F_ERR(e));
		relay_count_at(RELAY_BAD_FRAMES, e == ERR_DENIED ? RELAY_BAD_FORBIDDEN : RELAY_BAD_LENGTH, 1);
		client_end(c, RELAY_END_BAD_FRAME);
		return false;
	}
	if (client_must_wait(c, h.len))
		return false;
	uint32_t head = e ? 0 : h.type == DERPFRAME_SEND_PACKET ? KEY_LEN : h.type == DERPFRAME_PING ? DERPFRAME_PING_LEN : h.len;
	if (in->len < DERPFRAME_HEADER_LEN + head)
		return false;
	c->paid = c->shared = c->wait_counted = false;
	const uint8_t *payload = in->at + DERPFRAME_HEADER_LEN;
	directory_spoke(&c->member);
	if (!e && h.type == DERPFRAME_SEND_PACKET && pipe_lasting(c->pipe) && in->len >= DERPFRAME_HEADER_LEN + (size_t)h.len) {
		uint8_t *frame = in->at;
		buffer_consume(in, DERPFRAME_HEADER_LEN + (size_t)h.len);
		pass_on(c, frame, h.len);
		return true;
	}
	c->skip = h.len - head;
	if (e) {
		relay_count(RELAY_UNKNOWN_FRAMES, 1);
	} else if (h.type == DERPFRAME_SEND_PACKET) {
		on_send_packet(c, payload, h.len);
		c->skip = 0;
	} else if (h.type == DERPFRAME_PING) {
		on_ping(c, payload);
	} else {
		on_note_preferred(c, payload);
	}
	buffer_consume(in, DERPFRAME_HEADER_LEN + head);
	return true;
}

static bool fill(struct client *c, struct buffer *in)
{
	struct packet *p = c->incoming;
	size_t count = p->len - c->incoming_len;
	if (count > in->len)
		count = in->len;
	if (count)
		memcpy(packet_payload(p) + c->incoming_len, in->at, count);
	buffer_consume(in, count);
	c->incoming_len += (uint32_t)count;
	if (c->incoming_len < p->len)
		return false;
	c->incoming = NULL;
	route(c, p, c->forwarded ? LETTER_FORWARDED : LETTER_PACKET);
	c->forwarded = false;
	return true;
}

static bool skip(struct client *c, struct buffer *in)
{
	size_t count = c->skip < in->len ? (size_t)c->skip : in->len;
	buffer_consume(in, count);
	c->skip -= count;
	return !c->skip;
}

void client_on_data(void *context, struct buffer *in)
{
	struct client *c = context;
	unsigned before = c->received;
	bool more = true;
	while (more && c->state == CLIENT_LIVE && !timer_is_set(&c->thirst))
		more = c->incoming ? fill(c, in) : c->skip ? skip(c, in) : begin(c, in);
	if (c->state == CLIENT_LIVE && (c->incoming || c->held || in->len))
		room_count(c);
	loop_count_packets(c->shard->loop, &c->pace_mark, c->received - before);
}
