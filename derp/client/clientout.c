#include "clientparts.h"

#include "metrics_relay.h"

enum {
	STALL_TICK_MS = 250, /* how finely the write timeout is watched */
	AT_ONCE = 65536,     /* bytes given to the pipe at once; while it is busy the rest waits in the queues, where the oldest can be dropped */
	PIECES = 256,
	PART_TICK_MS = 20,
	SIBLING_TAKES_MS = 30000, /* a sibling that takes nothing for so long ends */
};
static const double LEAST_MS = 1e-3; /* a mean below counts as none */

static void drop(struct packet **p, enum relay_drop reason)
{
	relay_count_drop(reason, (*p)->disco, 1, (*p)->len);
	packet_free(p);
}

void client_want_flush(struct client *c)
{
	loop_defer(c->shard->loop, &c->flushing);
}

void client_add_control(struct client *c, const uint8_t *frame, size_t len)
{
	/* Past the cap the client hears less news, none of which it needs for being right. */
	if (buffer_add(&c->control, bytes_of(frame, len)))
		relay_count(RELAY_CONTROL_DROPPED, 1);
	else
		c->control_frames++, client_want_flush(c);
}

/* What goes out in one write. */
struct parting {
	struct iovec piece[PIECES];
	size_t count, bytes;
	struct packet *first; /* those whose frames are among the pieces */
	unsigned packets;
	size_t payload;
	uint32_t now_ms;
	double waited_ms; /* mean */
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
		uint32_t waited = out->now_ms - p->since_ms;
		if (waited || out->waited_ms > LEAST_MS)
			out->waited_ms += (waited - out->waited_ms) * 0.1;
	}
}

/* One gathered write, from where the frames lie: ours first, then disco, then the others. */
static void give(struct client *c)
{
	struct parting out;
	double waited_ms = atomic_load_explicit(&c->shard->queue_ms, memory_order_relaxed);
	out.count = out.bytes = out.packets = out.payload = 0;
	out.first = NULL;
	out.now_ms = (uint32_t)loop_now(c->shard->loop).ms;
	out.waited_ms = waited_ms;
	size_t control = c->control.len < AT_ONCE ? c->control.len : AT_ONCE;
	if (control)
		part(&out, c->control.at, control);
	if (control && c->pong_waits)
		relay_count(RELAY_SENT_PONG, 1);
	c->pong_waits &= !control;
	part_packets(&out, &c->disco);
	unsigned disco = out.packets;
	part_packets(&out, &c->other);
	room_take(c, out.bytes - control);
	c->given += out.bytes;
	c->last = (struct given){.bytes = (uint32_t)out.bytes, .disco = disco, .other = out.packets - disco, .payload = (uint32_t)out.payload};
	relay_count(RELAY_PACKETS_SENT, out.packets);
	relay_count(RELAY_BYTES_SENT, (int64_t)out.payload);
	if (out.waited_ms != waited_ms)
		atomic_store_explicit(&c->shard->queue_ms, out.waited_ms, memory_order_relaxed);
	pipe_send(c->pipe, out.piece, out.count);
	buffer_consume(&c->control, control);
	unsigned frames = out.packets;
	if (!c->control.len) {
		buffer_clear(&c->control);
		frames += c->control_frames;
		c->control_frames = 0;
	}
	relay_observe(RELAY_WRITE_FRAMES, frames);
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
		room_take(c, packet_frame_len(oldest));
		drop(&oldest, RELAY_DROP_QUEUE_HEAD);
	}
}

void client_watch_for_stall(struct client *c)
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
		client_end(c, RELAY_END_MISSED_NEWS);
	if (c->state != CLIENT_LIVE)
		return;
	unsigned writes = 0;
	for (; !pipe_busy(c->pipe) && (c->control.len || c->disco.count || c->other.count); writes++)
		give(c);
	if (c->mesh && writes)
		relay_observe(RELAY_MESH_LOOPS, writes);
	cut(c, &c->disco);
	cut(c, &c->other);
	queue_keep(&c->disco);
	queue_keep(&c->other);
	client_watch_for_stall(c);
	if (c->disco.count || c->other.count)
		room_wait(c);
	else
		room_leave(c);
	room_count(c);
	room_tell(c->shard);
	if (c->mesh)
		client_hear_on(c);
}

void client_on_turn_end(void *context)
{
	flush(context);
}

void client_on_written(void *context)
{
	struct client *c = context;
	if (c->state != CLIENT_LIVE)
		return;
	timer_cancel(&c->stall);
	room_count(c);
	if (c->control.len || c->disco.count || c->other.count)
		flush(c);
	else
		room_leave(c); /* others may have taken all that waited */
}

void client_on_stall_tick(void *context)
{
	struct client *c = context;
	if (!pipe_busy(c->pipe))
		return;
	struct mono now = clock_mono();
	uint64_t taken = c->given - pipe_unsent(c->pipe);
	if (taken != c->taken) {
		c->moved = now;
		room_moved(c);
	}
	room_count(c);
	c->taken = taken;
	/* Between a bridge and us things move in large pieces. */
	if (!c->bridged && now.ms - c->moved.ms >= (c->mesh ? (int64_t)SIBLING_TAKES_MS : c->shard->options->limit_write_ms)) {
		relay_count(RELAY_WRITE_TIMEOUTS, 1);
		client_end(c, RELAY_END_WRITE_TIMEOUT);
		return;
	}
	timer_set(&c->stall, STALL_TICK_MS);
}

static bool has_waiting(const struct client *c)
{
	return c->control.len || c->disco.count || c->other.count || pipe_busy(c->pipe);
}

void client_on_keep_alive(void *context)
{
	struct client *c = context;
	if (c->parting) {
		if (!has_waiting(c))
			client_end(c, RELAY_END_DRAIN);
		else
			timer_set(&c->keep_alive, PART_TICK_MS);
		return;
	}
	uint8_t frame[DERPFRAME_HEADER_LEN];
	derpframe_encode(frame, DERPFRAME_KEEP_ALIVE, 0);
	client_add_control(c, frame, sizeof frame);
	timer_set(&c->keep_alive, c->keep_alive_ms);
}

/* As many packets as their share of the bytes: which ones they were is forgotten. The others went behind disco. */
void client_count_lost(const struct client *c)
{
	const struct given *last = &c->last;
	uint64_t packets = last->disco + last->other, unsent = pipe_unsent(c->pipe);
	if (!packets || !unsent)
		return;
	uint64_t lost = unsent >= last->bytes ? packets : (packets * unsent + last->bytes - 1) / last->bytes;
	uint64_t other = lost < last->other ? lost : last->other;
	relay_count_drop(RELAY_DROP_WRITE_ERROR, false, (int64_t)other, (int64_t)(last->payload * other / packets));
	relay_count_drop(RELAY_DROP_WRITE_ERROR, true, (int64_t)(lost - other), (int64_t)(last->payload * (lost - other) / packets));
}

void client_push(struct client *c, struct packet *p)
{
	struct shard *s = c->shard;
	struct queue *q = p->disco ? &c->disco : &c->other;
	struct node_key source;
	packet_source(p, &source);
	heard_note(s->heard, &c->hearer, &source);
	if (!room_make(c, p))
		return;
	room_add(c, packet_frame_len(p));
	p->since_ms = (uint32_t)loop_now(s->loop).ms;
	queue_add(q, p);
	/* A burst within one turn is no reason to drop while the connection takes more. */
	if (pipe_busy(c->pipe))
		cut(c, q);
	client_want_flush(c);
}
