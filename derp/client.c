#include "clientparts.h"

#include <assert.h>
#include <stdlib.h>

#include "limit.h"
#include "log.h"
#include "metrics_relay.h"
#include "relay.h"

enum {
	KEEP_ALIVE_MS = 60000,
	KEEP_ALIVE_JITTER_MS = 5000, /* clients give up after 120 s without a frame */
	STALL_TICK_MS = 250,         /* how finely the write timeout is watched */
	AT_ONCE = 65536,             /* bytes given to the pipe at once; while it is busy the rest waits in the queues, where the oldest can be dropped */
	PIECES = 256,
	NOT_HERE_PER_S = 1,
	NOT_HERE_BURST = 3,
	HOME_SETTLES_MS = 5000, /* a home noted so early is not a move */
	DUPLICATES_MAX = 32,    /* connections of one key; beyond it the one that was silent longest ends */
	UNACKED_MS = 15000,
	PART_TICK_MS = 20,
	IDLE_PROBE_MS = 600000,         /* rarely: every probe wakes a phone */
	SIBLING_TAKES_MS = 30000,       /* a sibling that takes nothing for so long ends */
	SIBLING_CONTROL_CAP = 64 << 20, /* news of a million keys */
	CONTROL_CAP = (HEARD_MAX + 64) * DERPFRAME_PEER_GONE_LEN,
};

static void flush(struct client *c);

static void move(struct client *c, enum client_state to)
{
	list_remove(&c->in_state);
	c->state = to;
	list_append(&c->shard->in_state[to], &c->in_state);
}

/* The directory's counts, as differences to what was told before. */
static void count_keys(struct shard *s)
{
	struct directory_count now = directory_count(s->directory);
	relay_count(RELAY_KEYS, (int64_t)now.keys - (int64_t)s->counted.keys);
	relay_count(RELAY_DUP_KEYS, (int64_t)now.dup_keys - (int64_t)s->counted.dup_keys);
	relay_count(RELAY_DUP_CONNECTIONS, (int64_t)now.dup_members - (int64_t)s->counted.dup_members);
	s->counted = now;
}

static void drop(struct packet **p, enum relay_drop reason)
{
	relay_count_at(RELAY_PACKETS_DROPPED, reason, 1);
	relay_count_at(RELAY_BYTES_DROPPED, reason, (*p)->len);
	packet_free(p);
}

/* ---- out ---- */

void client_want_flush(struct client *c)
{
	loop_defer(c->shard->loop, &c->flushing);
}

void client_add_control(struct client *c, const uint8_t *frame, size_t len)
{
	/* Past the cap the client hears less news, none of which it needs for being right. */
	if (!buffer_add(&c->control, bytes_of(frame, len)))
		client_want_flush(c);
}

/* The rate has changed since the client was told last. */
static void tell_limits(struct client *c)
{
	const struct relay *relay = c->shard->relay;
	struct rate rate = rates_now(&relay->rates);
	c->limits_told = rates_changes(&relay->rates);
	if (!derpframe_encode_server_limits(&relay->key, &c->key, rate.per_second, rate.burst, &c->control))
		client_want_flush(c);
}

/* What goes out in one write. */
struct parting {
	struct iovec piece[PIECES];
	size_t count, bytes;
	struct packet *first; /* those whose frames are among the pieces */
	unsigned packets;
	size_t payload;
};

static void part(struct parting *out, void *at, size_t len)
{
	out->piece[out->count++] = (struct iovec){.iov_base = at, .iov_len = len};
	out->bytes += len;
}

static void part_packets(struct parting *out, struct queue *q)
{
	struct packet *p;
	while ((p = q->first) && out->count < PIECES && (!out->count || out->bytes + packet_frame_len(p) <= AT_ONCE)) {
		p = queue_pop(q);
		part(out, p->frame, packet_frame_len(p));
		p->next = out->first;
		out->first = p;
		out->packets++;
		out->payload += p->len;
	}
}

/* One gathered write, from where the frames lie: ours first, then disco, then the others. */
static void give(struct client *c)
{
	struct parting out;
	out.count = out.bytes = out.packets = out.payload = 0;
	out.first = NULL;
	size_t control = c->control.len < AT_ONCE ? c->control.len : AT_ONCE;
	if (control)
		part(&out, c->control.at, control);
	if (control && c->pong_waits)
		relay_count(RELAY_SENT_PONG, 1);
	c->pong_waits &= !control;
	part_packets(&out, &c->disco);
	part_packets(&out, &c->other);
	c->shard->queued_bytes -= out.bytes - control;
	c->given += out.bytes;
	relay_count(RELAY_PACKETS_SENT, out.packets);
	relay_count(RELAY_BYTES_SENT, (int64_t)out.payload);
	pipe_send(c->pipe, out.piece, out.count);
	buffer_consume(&c->control, control);
	if (!c->control.len)
		buffer_clear(&c->control);
	while (out.first) {
		struct packet *p = out.first;
		out.first = p->next;
		packet_free(&p);
	}
}

/* The connection takes nothing now: the newest stay. */
static void cut(struct client *c, struct queue *q)
{
	struct packet *oldest;
	while ((oldest = queue_cut(q))) {
		c->shard->queued_bytes -= packet_frame_len(oldest);
		drop(&oldest, RELAY_DROP_QUEUE_HEAD);
	}
}

static void watch_for_stall(struct client *c)
{
	if (!pipe_busy(c->pipe) || timer_is_set(&c->stall))
		return;
	c->taken = c->given - pipe_unsent(c->pipe);
	c->moved = clock_mono();
	timer_set(&c->stall, STALL_TICK_MS);
}

static void flush(struct client *c)
{
	if (c->missed)
		client_end(c, ERR_EXHAUSTED);
	if (c->state != CLIENT_LIVE)
		return;
	while (!pipe_busy(c->pipe) && (c->control.len || c->disco.count || c->other.count))
		give(c);
	cut(c, &c->disco);
	cut(c, &c->other);
	queue_keep(&c->disco);
	queue_keep(&c->other);
	watch_for_stall(c);
}

static void on_turn_end(void *context)
{
	flush(context);
}

static void on_written(void *context)
{
	struct client *c = context;
	if (c->state != CLIENT_LIVE)
		return;
	timer_cancel(&c->stall);
	if (c->control.len || c->disco.count || c->other.count)
		flush(c);
}

static void on_stall_tick(void *context)
{
	struct client *c = context;
	if (!pipe_busy(c->pipe))
		return;
	struct mono now = clock_mono();
	uint64_t taken = c->given - pipe_unsent(c->pipe);
	if (taken != c->taken)
		c->moved = now;
	c->taken = taken;
	if (now.ms - c->moved.ms >= (c->mesh ? (int64_t)SIBLING_TAKES_MS : c->shard->relay->options->limit_write_ms)) {
		relay_count(RELAY_WRITE_TIMEOUTS, 1);
		client_end(c, ERR_TIMEOUT);
		return;
	}
	timer_set(&c->stall, STALL_TICK_MS);
}

static bool has_waiting(const struct client *c)
{
	return c->control.len || c->disco.count || c->other.count || pipe_busy(c->pipe);
}

static void on_keep_alive(void *context)
{
	struct client *c = context;
	if (c->parting) {
		if (!has_waiting(c))
			client_end(c, ERR_CANCELED);
		else
			timer_set(&c->keep_alive, PART_TICK_MS);
		return;
	}
	uint8_t frame[DERPFRAME_HEADER_LEN];
	derpframe_encode(frame, DERPFRAME_KEEP_ALIVE, 0);
	client_add_control(c, frame, sizeof frame);
	timer_set(&c->keep_alive, c->keep_alive_ms);
}

static void push(struct client *c, struct packet *p)
{
	struct shard *s = c->shard;
	struct queue *q = p->disco ? &c->disco : &c->other;
	struct node_key source;
	packet_source(p, &source);
	heard_note(s->heard, &c->hearer, &source);
	if (s->queued_bytes + packet_frame_len(p) > (size_t)s->relay->options->limit_queued) {
		drop(&p, RELAY_DROP_QUEUE_TAIL);
		return;
	}
	s->queued_bytes += packet_frame_len(p);
	queue_add(q, p);
	/* A burst within one turn is no reason to drop while the connection takes more. */
	if (pipe_busy(c->pipe))
		cut(c, q);
	client_want_flush(c);
}

/* ---- routing ---- */

static struct client *find(const struct shard *s, const struct node_key *key)
{
	struct member *m = directory_find(s->directory, key);
	return m ? OWNER_OF(m, struct client, member) : NULL;
}

static void tell_not_here(struct client *c, const struct node_key *peer)
{
	if (!limit_take(&c->not_here, NOT_HERE_PER_S, NOT_HERE_BURST, loop_now(c->shard->loop)))
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
	relay_count_at(RELAY_PACKETS_DROPPED, RELAY_DROP_UNKNOWN_DEST, 1);
	relay_count_at(RELAY_BYTES_DROPPED, RELAY_DROP_UNKNOWN_DEST, p->len);
	if (!p->disco) {
		packet_free(&p);
	} else if (p->from_loop == s->index) {
		take_not_here(s, p);
	} else {
		p->kind = LETTER_NOT_HERE;
		crossing_send(s, p->from_loop, p);
	}
}

static void deliver(struct shard *s, struct packet *p)
{
	struct client *c = find(s, &p->to);
	if (c)
		push(c, p);
	else if (p->kind == LETTER_FORWARDED || !mesh_forward(s, p))
		nobody(s, p);
}

static void route(struct client *c, struct packet *p)
{
	struct shard *s = c->shard;
	p->disco = derpframe_is_disco(bytes_of(packet_payload(p), p->len));
	p->kind = LETTER_PACKET;
	p->sender = c->number;
	c->received++;
	p->from_loop = (uint16_t)s->index;
	relay_count_at(RELAY_PACKETS_RECEIVED, p->disco ? RELAY_KIND_DISCO : RELAY_KIND_OTHER, 1);
	relay_count(RELAY_BYTES_RECEIVED, p->len);
	unsigned home = relay_home(s->relay, &p->to);
	if (home == s->index)
		deliver(s, p);
	else
		crossing_send(s, home, p);
}

/* From a sibling: to a client of ours or to nobody, never to another sibling. */
static void route_forwarded(struct client *c, struct packet *p)
{
	struct shard *s = c->shard;
	p->disco = derpframe_is_disco(bytes_of(packet_payload(p), p->len));
	p->kind = LETTER_FORWARDED;
	p->sender = c->number;
	p->from_loop = (uint16_t)s->index;
	relay_count(RELAY_FORWARDED_IN, 1);
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
	route(c, packet_lend(&c->key, &to, frame, len - KEY_LEN));
}

static void on_thirst_over(void *context)
{
	struct client *c = context;
	pipe_read_resume(c->pipe);
	pipe_kick(c->pipe);
}

/* A frame of `len` bytes begins: true when its client may not send it yet. Then nothing is read, so that the network holds the sender up; nothing is lost. */
static bool is_early(struct client *c, uint32_t len)
{
	const struct rates *rates = &c->shard->relay->rates;
	if (c->mesh)
		return false;
	if (c->limits_told != rates_changes(rates))
		tell_limits(c);
	int64_t wait_ms = c->paid ? 0 : allowance_take(&c->allowance, rates, len, loop_now(c->shard->loop));
	c->paid = !wait_ms;
	if (!wait_ms)
		return false;
	relay_count(RELAY_RATE_WAITS, 1);
	pipe_read_pause(c->pipe);
	timer_set(&c->thirst, wait_ms);
	return true;
}

/* The head of a frame: header, and as much of its payload as is wanted at once. False: more bytes are needed. */
static bool begin(struct client *c, struct buffer *in)
{
	struct derpframe_header h;
	if (derpframe_decode(buffer_bytes(in), &h))
		return false;
	enum err e = derpframe_check(h);
	if (e == ERR_DENIED && c->mesh)
		return client_begin_mesh(c, in, h);
	if (e && e != ERR_UNSUPPORTED) {
		log_info(SUBJECT("client"), "frame refused", F_UINT("number", c->number), F_UINT("type", h.type), F_UINT("len", h.len), F_ERR(e));
		relay_count_at(RELAY_BAD_FRAMES, e == ERR_DENIED ? RELAY_BAD_FORBIDDEN : RELAY_BAD_LENGTH, 1);
		client_end(c, e);
		return false;
	}
	if (is_early(c, h.len))
		return false;
	uint32_t head = e ? 0 : h.type == DERPFRAME_SEND_PACKET ? KEY_LEN : h.type == DERPFRAME_PING ? DERPFRAME_PING_LEN : h.len;
	if (in->len < DERPFRAME_HEADER_LEN + head)
		return false;
	c->paid = false;
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
	if (c->forwarded) {
		c->forwarded = false;
		route_forwarded(c, p);
	} else {
		route(c, p);
	}
	return true;
}

static bool skip(struct client *c, struct buffer *in)
{
	size_t count = c->skip < in->len ? (size_t)c->skip : in->len;
	buffer_consume(in, count);
	c->skip -= count;
	return !c->skip;
}

static void on_data(void *context, struct buffer *in)
{
	struct client *c = context;
	unsigned before = c->received;
	bool more = true;
	while (more && c->state == CLIENT_LIVE && !timer_is_set(&c->thirst))
		more = c->incoming ? fill(c, in) : c->skip ? skip(c, in) : begin(c, in);
	loop_count_packets(c->shard->loop, &c->pace_mark, c->received - before);
}

static void on_end(void *context, enum err why)
{
	client_end(context, why);
}

static const struct pipe_events events = {.on_data = on_data, .on_written = on_written, .on_end = on_end};

/* ---- beginning and end ---- */

void client_log_refused(struct client *c, const char *reason)
{
	char key[KEY_SHORT_MAX], source[IP_TEXT_MAX];
	/* A refused client dials anew many times a second. */
	if (!limit_take(&c->shard->refusal_log, 5, 20, loop_now(c->shard->loop)))
		return;
	ip_format(source, c->peer.ip);
	log_info(SUBJECT("client"), "client refused", F_TEXT("key", key_short(key, c->key.raw)), F_TEXT("source", source), F_TEXT("reason", reason));
}

/* In the directory before ServerInfo is sent: who has read it can be reached. And nothing can be written before it. */
static void enter(struct client *c)
{
	struct shard *s = c->shard;
	struct buffer info;
	buffer_init(&info, 256);
	struct rate rate = rates_now(&s->relay->rates);
	c->limits_told = rates_changes(&s->relay->rates);
	if (derpframe_encode_server_limits(&s->relay->key, &c->key, rate.per_second, rate.burst, &info)) {
		client_end(c, ERR_CRYPTO);
		return;
	}
	move(c, CLIENT_LIVE);
	c->begun = loop_now(s->loop);
	limit_init(&c->not_here, NOT_HERE_BURST, c->begun);
	unsigned members = directory_add(s->directory, &c->key, &c->member);
	relay_count(RELAY_DUP_TOTAL, members > 1);
	struct member *stale = members > DUPLICATES_MAX ? directory_stalest(&c->member) : NULL;
	if (stale)
		client_end(OWNER_OF(stale, struct client, member), ERR_EXHAUSTED);
	count_keys(s);
	relay_count(RELAY_CONNECTIONS, 1);
	relay_count(RELAY_NOT_IDEAL, c->not_ideal);
	c->given += info.len;
	if (pipe_write(c->pipe, &info))
		abort();
	c->keep_alive_ms = KEEP_ALIVE_MS + (int64_t)(random_number() % KEEP_ALIVE_JITTER_MS);
	timer_set(&c->keep_alive, c->keep_alive_ms);
	watch_for_stall(c);
	char key[KEY_SHORT_MAX];
	log_debug(SUBJECT("client"), "connected", F_UINT("number", c->number), F_TEXT("key", key_short(key, c->key.raw)));
	mesh_tell_present(s, &c->key, c->peer, client_presence_flags(c));
	pipe_read_resume(c->pipe);
}

static void on_verdict(void *context, bool allowed)
{
	struct client *c = context;
	if (allowed && c->state == CLIENT_LIVE)
		return;
	if (allowed) {
		enter(c);
		return;
	}
	client_log_refused(c, "not admitted by a coordinator");
	client_end(c, ERR_DENIED);
}

static void end(void *context)
{
	struct client *c = context;
	list_remove(&c->in_state);
	free(c);
}

static struct client *client_new(struct shard *s, struct pipe *pipe, struct endpoint peer, const struct node_key *key)
{
	struct client *c = x_alloc(sizeof(*c));
	*c = (struct client){.shard = s, .pipe = pipe, .key = *key, .number = ++s->last_number, .peer = peer};
	list_init(&c->in_state);
	list_init(&c->member.link);
	hearer_init(&c->hearer, c->number);
	verify_wait_init(&c->wait, on_verdict, c);
	queue_init(&c->disco);
	queue_init(&c->other);
	buffer_init(&c->control, CONTROL_CAP);
	timer_init(&c->keep_alive, s->loop, on_keep_alive, c);
	timer_init(&c->stall, s->loop, on_stall_tick, c);
	timer_init(&c->thirst, s->loop, on_thirst_over, c);
	defer_init(&c->flushing, on_turn_end, c);
	defer_init(&c->ending, end, c);
	table_put_number(s->clients, c->number, c);
	move(c, CLIENT_ASKING);
	return c;
}

void client_admit(struct shard *s, struct pipe *pipe, struct endpoint peer, bool not_ideal, const struct derpframe_client_info *info)
{
	struct client *c = client_new(s, pipe, peer, &info->key);
	c->not_ideal = not_ideal;
	c->prober = info->is_prober;
	pipe_set_events(pipe, &events, c);
	pipe_set_dead_after(pipe, UNACKED_MS, IDLE_PROBE_MS);
	if (relaylife_is_leaving(s) || table_count(s->clients) > (size_t)s->relay->options->limit_connections) {
		client_log_refused(c, relaylife_is_leaving(s) ? "draining" : "limits.connections");
		client_end(c, ERR_EXHAUSTED);
		return;
	}
	if (info->has_mesh_key) {
		c->mesh = true;
		buffer_init(&c->control, SIBLING_CONTROL_CAP);
		enter(c);
		return;
	}
	switch (verify_ask(s->verify, &c->key, c->peer.ip, &c->wait)) {
	case VERDICT_ALLOWED:
		enter(c);
		return;
	case VERDICT_REFUSED:
		client_log_refused(c, "not admitted, as remembered");
		client_end(c, ERR_DENIED);
		return;
	default:
		return;
	}
}

static void leave(struct client *c)
{
	struct shard *s = c->shard;
	bool left = directory_remove(s->directory, &c->member);
	heard_forget(s->heard, &c->hearer);
	count_keys(s);
	relay_count(RELAY_CONNECTIONS, -1);
	relay_count(RELAY_NOT_IDEAL, -(int64_t)c->not_ideal);
	if (c->preferred) {
		relay_count(RELAY_HOME_CONNECTIONS, -1);
		atomic_fetch_sub_explicit(&s->relay->homes, 1, memory_order_relaxed);
	}
	if (c->watching) {
		relay_count(RELAY_WATCHERS, -1);
		mesh_unwatch(s, c->number);
	}
	if (!left || s->closing)
		return;
	mesh_tell_gone(s, &c->key);
	if (!mesh_reaches(s, &c->key))
		client_tell_left(s, &c->key);
}

static void drop_waiting(struct queue *q)
{
	size_t heads = (size_t)q->count * DERPFRAME_RECV_HEADER_LEN;
	relay_count_at(RELAY_BYTES_DROPPED, RELAY_DROP_GONE, (int64_t)(q->bytes - heads));
	relay_count_at(RELAY_PACKETS_DROPPED, RELAY_DROP_GONE, queue_clear(q));
}

void client_end(struct client *c, enum err why)
{
	struct shard *s = c->shard;
	if (c->state == CLIENT_ENDED)
		return;
	log_debug(SUBJECT("client"), "ended", F_UINT("number", c->number), F_ERR(why));
	bool live = c->state == CLIENT_LIVE;
	move(c, CLIENT_ENDED);
	if (live)
		leave(c);
	verify_cancel(&c->wait);
	timer_cancel(&c->keep_alive);
	timer_cancel(&c->stall);
	timer_cancel(&c->thirst);
	defer_cancel(&c->flushing);
	table_remove_number(s->clients, c->number);
	s->queued_bytes -= c->disco.bytes + c->other.bytes;
	drop_waiting(&c->disco);
	drop_waiting(&c->other);
	packet_free(&c->incoming);
	buffer_clear(&c->control);
	pipe_close(&c->pipe);
	loop_defer(s->loop, &c->ending);
}

void client_tell_left(struct shard *s, const struct node_key *key)
{
	heard_gone(s->heard, key, on_peer_left);
	crossing_tell_left(s, key);
}
