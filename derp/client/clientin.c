#include "clientparts.h"

#include "log.h"
#include "metrics_relay.h"
#include "routing.h"

enum {
	HOME_SETTLES_MS = 5000, /* a home noted so early is not a move */
};

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
	routing_packet(c, packet_lend(&c->key, &to, frame, len - KEY_LEN), LETTER_PACKET);
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
	routing_packet(c, p, c->forwarded ? LETTER_FORWARDED : LETTER_PACKET);
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
