#include "gate.h"

#include <assert.h>
#include <stdlib.h>
#include <unistd.h>

#include "chunks.h"
#include "key.h"
#include "linkwire.h"
#include "log.h"
#include "pipe.h"
#include "table.h"

enum {
	PEERS_MAX = 1024,      /* coordinator loops */
	STRANGERS_MAX = 64,    /* connections that have not proven the secret */
	STREAMS_MAX = 1 << 18, /* of one peer: twice what a coordinator loop is meant to hold */
	OUT_CAP = 64 << 20,    /* unsent to one peer; past it the peer is dropped and its clients poll again */
	TICK_MS = 1000,
	SILENCE_MS = 10000, /* the other end looks after 2 s; this only clears up */
	GRUMBLES_PER_S = 5  /* log lines about strangers */
};

struct stream {
	struct gate_stream open; /* what the mapper sees */
	struct list link;        /* in its peer, or in gate.closing */
	bool ended;
};

struct gate_peer {
	struct list link;
	struct gate *gate;
	struct linkwire *wire; /* NULL: gone, waits for the on_close of its streams */
	struct table *by_number;
	struct list streams;
	size_t stream_count; /* with those that wait for on_close */
	size_t slot;         /* in chunk_kept.told */
	bool proven;
	struct timer tick;
	int64_t ticked_ms, excused_ms;
	struct list touched; /* while a body is sent */
	struct buffer numbers;
};

struct gate {
	struct loop *loop;
	struct listener *listener;
	struct bytes secret;
	const struct gate_events *events;
	void *context;
	struct list peers;
	size_t peer_count, stranger_count;
	struct bitset slots;
	struct chunks *chunks;
	struct list closing;
	struct defer closing_turn;
	int64_t grumble_ms;
	unsigned grumbles;
};

static struct stream *stream_of(const struct gate_stream *s)
{
	return OWNER_OF(s, struct stream, open);
}

static void grumble(struct gate *g, struct endpoint who, const char *event, enum err why)
{
	int64_t now = clock_mono().ms;
	if (now - g->grumble_ms >= 1000) {
		g->grumble_ms = now;
		g->grumbles = 0;
	}
	if (g->grumbles++ >= GRUMBLES_PER_S)
		return;
	char text[ENDPOINT_TEXT_MAX];
	endpoint_format(text, who);
	log_warning(SUBJECT("link"), event, F_TEXT("peer", text), F_ERR(why));
}

/* ---- ends ---- */

static void peer_release(struct gate_peer *p)
{
	if (p->wire || p->stream_count)
		return;
	table_free(&p->by_number);
	buffer_clear(&p->numbers);
	free(p);
}

static void on_closing(void *context)
{
	struct gate *g = context;
	struct stream *s;
	while ((s = LIST_FIRST(&g->closing, struct stream, link))) {
		list_remove(&s->link);
		struct gate_peer *p = s->open.peer;
		g->events->on_close(g->context, &s->open);
		free(s);
		p->stream_count--;
		peer_release(p);
	}
}

static void stream_close(struct stream *s)
{
	struct gate_peer *p = s->open.peer;
	if (s->ended)
		return;
	s->ended = true;
	table_remove_number(p->by_number, s->open.request.stream);
	list_remove(&s->link);
	list_append(&p->gate->closing, &s->link);
	loop_defer(p->gate->loop, &p->gate->closing_turn);
}

static void peer_end(struct gate_peer *p, enum err why)
{
	struct gate *g = p->gate;
	if (why != ERR_CANCELED)
		grumble(g, linkwire_peer(p->wire), p->proven ? "link lost" : "stranger turned away", why);
	if (!p->proven)
		g->stranger_count--;
	g->peer_count--;
	list_remove(&p->link);
	timer_cancel(&p->tick);
	if (p->proven)
		chunks_untell(g->chunks, p->slot);
	bitset_remove(&g->slots, p->slot);
	LIST_EACH(&p->streams, s, struct stream, link)
		stream_close(s);
	linkwire_close(&p->wire);
	peer_release(p);
}

static void send_end(struct gate_peer *p, uint32_t number, enum link_end reason)
{
	linkwire_send(p->wire, &(struct linkframe){.type = LINK_END, .stream = number, .reason = (uint16_t)reason});
}

void gate_end(struct gate_stream *open, enum link_end reason)
{
	struct stream *s = stream_of(open);
	if (s->ended)
		return;
	send_end(open->peer, open->request.stream, reason);
	stream_close(s);
}

/* ---- what coordinators say ---- */

static void on_subscribe(struct gate_peer *p, const struct link_subscribe *request)
{
	struct gate *g = p->gate;
	if (table_find_number(p->by_number, request->stream)) {
		peer_end(p, ERR_MALFORMED);
		return;
	}
	if (p->stream_count >= STREAMS_MAX) {
		send_end(p, request->stream, LINK_END_OVERLOADED);
		return;
	}
	struct stream *s = x_zalloc(sizeof(*s));
	s->open = (struct gate_stream){.peer = p, .request = *request, .free = true};
	list_append(&p->streams, &s->link);
	table_put_number(p->by_number, request->stream, s);
	p->stream_count++;
	g->events->on_open(g->context, &s->open);
}

static void on_credit(struct gate_peer *p, struct stream *s, bool now_free)
{
	bool was = s->open.free;
	s->open.free = now_free;
	if (now_free && !was)
		p->gate->events->on_free(p->gate->context, &s->open);
}

static void send_chunk(struct gate_peer *p, struct chunk_kept *chunk)
{
	struct linkframe frame = {.type = LINK_CHUNK, .bytes = body_bytes(chunk->body)};
	memcpy(frame.chunk, chunk->name, sizeof(frame.chunk));
	linkwire_send(p->wire, &frame);
	bitset_add(&chunk->told, p->slot);
}

static void on_want(struct gate_peer *p, struct stream *s, const struct linkframe *frame)
{
	struct chunk_kept *chunk = chunks_find(p->gate->chunks, frame->chunk);
	if (chunk)
		send_chunk(p, chunk);
	else if (s)
		gate_end(&s->open, LINK_END_MOVED);
	else
		send_end(p, frame->stream, LINK_END_MOVED);
}

static void on_frame(void *context, const struct linkframe *frame)
{
	struct gate_peer *p = context;
	/* NULL: ended by us while this was under way. */
	struct stream *s = table_find_number(p->by_number, frame->stream);
	switch (frame->type) {
	case LINK_SUBSCRIBE:
		on_subscribe(p, &frame->subscribe);
		break;
	case LINK_UNSUBSCRIBE:
		if (s)
			stream_close(s);
		break;
	case LINK_CREDIT:
		if (s)
			on_credit(p, s, frame->free);
		break;
	case LINK_STANDS:
		if (s)
			p->gate->events->on_stands(p->gate->context, &s->open, frame->version);
		break;
	case LINK_WANT:
		on_want(p, s, frame);
		break;
	case LINK_PING:
		linkwire_send(p->wire, &(struct linkframe){.type = LINK_PONG});
		break;
	default:
		peer_end(p, ERR_MALFORMED);
	}
}

/* ---- connections ---- */

static void on_tick(void *context)
{
	struct gate_peer *p = context;
	int64_t now = clock_mono().ms, heard = linkwire_heard(p->wire).ms;
	/* A loop that stood still has not listened: that is not the peer's silence. */
	if (now - p->ticked_ms > 2 * TICK_MS)
		p->excused_ms = now;
	p->ticked_ms = now;
	if (now - (heard > p->excused_ms ? heard : p->excused_ms) > SILENCE_MS) {
		peer_end(p, ERR_TIMEOUT);
		return;
	}
	timer_set(&p->tick, TICK_MS);
}

static void on_ready(void *context)
{
	struct gate_peer *p = context;
	char text[ENDPOINT_TEXT_MAX];
	p->proven = true;
	p->gate->stranger_count--;
	linkwire_set_out_cap(p->wire, OUT_CAP);
	p->ticked_ms = clock_mono().ms;
	timer_set(&p->tick, TICK_MS);
	endpoint_format(text, linkwire_peer(p->wire));
	log_info(SUBJECT("link"), "coordinator connected", F_TEXT("peer", text));
}

static void on_wire_end(void *context, enum err why)
{
	peer_end(context, why);
}

static const struct linkwire_events wire_tells = {.on_ready = on_ready, .on_frame = on_frame, .on_end = on_wire_end};

static size_t free_slot(const struct gate *g)
{
	size_t slot = 0;
	while (bitset_has(&g->slots, slot))
		slot++;
	return slot;
}

static void on_accept(void *context, int fd)
{
	struct gate *g = context;
	if (g->peer_count >= PEERS_MAX || g->stranger_count >= STRANGERS_MAX) {
		struct sockaddr_storage from = {0};
		socklen_t len = sizeof(from);
		(void)getpeername(fd, (struct sockaddr *)&from, &len);
		grumble(g, endpoint_from_sockaddr((struct sockaddr *)&from), "too many connections", ERR_EXHAUSTED);
		close(fd);
		return;
	}
	struct gate_peer *p = x_zalloc(sizeof(*p));
	p->gate = g;
	p->by_number = table_new();
	p->slot = free_slot(g);
	bitset_add(&g->slots, p->slot);
	list_init(&p->streams);
	list_init(&p->touched);
	list_append(&g->peers, &p->link);
	buffer_init(&p->numbers, 4 * STREAMS_MAX);
	timer_init(&p->tick, g->loop, on_tick, p);
	g->peer_count++;
	g->stranger_count++;
	p->wire = linkwire_accept(g->loop, fd, g->secret, &wire_tells, p);
}

struct gate *gate_new(struct loop *loop, struct endpoint at, struct bytes cluster_secret, const struct gate_events *events, void *context, struct diag *why)
{
	if (!cluster_secret.len) {
		diag_set(why, ERR_MALFORMED, "the cluster secret is empty");
		return NULL;
	}
	struct gate *g = x_alloc(sizeof(*g));
	*g = (struct gate){.loop = loop, .events = events, .context = context};
	g->listener = listener_open(loop, at, on_accept, g, why);
	if (!g->listener) {
		free(g);
		return NULL;
	}
	g->secret = bytes_of(x_dup(cluster_secret.at, cluster_secret.len), cluster_secret.len);
	g->chunks = chunks_new(LINK_CHUNKS_CAP);
	bitset_init(&g->slots);
	list_init(&g->peers);
	list_init(&g->closing);
	defer_init(&g->closing_turn, on_closing, g);
	return g;
}

static void say_goodbye(struct gate_peer *p)
{
	LIST_EACH(&p->streams, s, struct stream, link)
		gate_end(&s->open, LINK_END_DRAIN);
}

void gate_free(struct gate **at)
{
	struct gate *g = *at;
	*at = NULL;
	if (!g)
		return;
	listener_close(&g->listener);
	while (!list_empty(&g->peers)) {
		struct gate_peer *p = LIST_FIRST(&g->peers, struct gate_peer, link);
		say_goodbye(p);
		peer_end(p, ERR_CANCELED);
	}
	defer_cancel(&g->closing_turn);
	on_closing(g);
	chunks_free(&g->chunks);
	bitset_clear(&g->slots);
	key_wipe((void *)(uintptr_t)g->secret.at, g->secret.len);
	free((void *)(uintptr_t)g->secret.at);
	free(g);
}

struct endpoint gate_endpoint(const struct gate *g)
{
	return listener_endpoint(g->listener);
}

size_t gate_unsent(const struct gate_peer *p)
{
	return p->wire ? linkwire_unsent(p->wire) : 0;
}

/* ---- bodies ---- */

static void refuse_all(struct gate_peer *p, struct bytes numbers)
{
	for (size_t at = 0; at < numbers.len; at += 4) {
		struct stream *s = table_find_number(p->by_number, get_be32(numbers.at + at));
		if (s)
			gate_end(&s->open, LINK_END_OVERLOADED);
	}
}

static void gather(struct list *touched, const struct gate_stream *open)
{
	struct gate_peer *p = open->peer;
	uint8_t *at = buffer_reserve(&p->numbers, 4);
	assert(at);
	put_be32(at, open->request.stream);
	buffer_filled(&p->numbers, 4);
	if (!list_linked(&p->touched))
		list_append(touched, &p->touched);
}

void gate_send(struct gate *g, struct gate_stream *const *streams, size_t count, uint64_t version, struct bytes body)
{
	struct list touched;
	list_init(&touched);
	(void)g;
	for (size_t i = 0; i < count; i++) {
		if (!stream_of(streams[i])->ended)
			gather(&touched, streams[i]);
	}
	struct gate_peer *p;
	while ((p = LIST_FIRST(&touched, struct gate_peer, touched))) {
		list_remove(&p->touched);
		struct bytes numbers = buffer_bytes(&p->numbers);
		if (linkwire_try(p->wire, &(struct linkframe){.type = LINK_BODY, .version = version, .streams = numbers, .bytes = body}) != ERR_NONE)
			refuse_all(p, numbers);
		buffer_clear(&p->numbers);
	}
}

static void on_chunk_gone(void *context, const struct chunk_kept *chunk)
{
	struct gate *g = context;
	struct linkframe frame = {.type = LINK_FORGET};
	memcpy(frame.chunk, chunk->name, sizeof(frame.chunk));
	LIST_EACH(&g->peers, p, struct gate_peer, link) {
		if (p->proven && bitset_has(&chunk->told, p->slot))
			linkwire_send(p->wire, &frame);
	}
}

static struct link_piece reference(struct gate_peer *p, const struct gate_piece *piece)
{
	struct link_piece named = {.is_chunk = true};
	struct chunk_kept *chunk = chunks_put(p->gate->chunks, piece->chunk_name, piece->body);
	if (!bitset_has(&chunk->told, p->slot))
		send_chunk(p, chunk);
	memcpy(named.name, piece->chunk_name, sizeof(named.name));
	return named;
}

void gate_send_full(struct gate_stream *open, uint64_t version, const struct gate_piece *pieces, size_t count)
{
	struct stream *s = stream_of(open);
	if (s->ended)
		return;
	struct gate_peer *p = open->peer;
	struct link_piece *packed = x_alloc(count * sizeof(*packed));
	for (size_t i = 0; i < count; i++)
		packed[i] = pieces[i].chunk_name ? reference(p, &pieces[i]) : (struct link_piece){.bytes = body_bytes(pieces[i].body)};
	if (linkwire_try_full(p->wire, open->request.stream, version, packed, count) != ERR_NONE)
		gate_end(open, LINK_END_OVERLOADED);
	free(packed);
	chunks_trim(p->gate->chunks, on_chunk_gone, p->gate);
}
