#include "dial.h"

#include <assert.h>
#include <stdlib.h>

#include "chunks.h"
#include "hold.h"
#include "key.h"
#include "linkwire.h"
#include "log.h"
#include "table.h"

enum { MAPPER_KEY_LEN = 19 };

/* One connection. Its subscriptions end with it; the next dial_subscribe makes a new one. */
struct mapper {
	struct list link;
	struct dial *dial;
	struct endpoint at;
	struct linkwire *wire;
	struct table *by_number;
	struct list subscriptions;
	struct list blocked;  /* would be free, but for their barrier */
	struct list holding;  /* wait for chunks */
	struct table *wanted; /* names asked for and not answered */
	uint32_t last_number;
	uint64_t pings, pongs; /* sent, answered: in order */
	bool ready;
	struct defer pinging;
	struct timer beat;
	int64_t beaten_ms, excused_ms;
};

/* A stream of bodies. What was under way when it became clogged must not be taken for what comes after: it was made from a version
 * that the client never got. So it is told free again only behind a barrier, a ping sent after it was told clogged. */
struct subscription {
	struct list link; /* in its mapper, or in dial.ended, or nowhere once on_end came */
	struct list in_blocked, in_holding;
	struct dial *dial;
	struct mapper *mapper; /* NULL: ended */
	const struct subscription_events *events;
	void *context;
	uint32_t number;
	uint64_t version; /* last given */
	bool user_free;   /* what the poll says */
	bool told_free;   /* what the mapper was told; only then a body is taken */
	uint64_t barrier;
	struct hold *hold;
	bool end_waits; /* behind the hold */
	enum link_end reason;
	enum err why;
};

struct dial {
	struct loop *loop;
	struct bytes secret;
	void (*on_lost)(void *context, struct endpoint mapper);
	void *context;
	struct table *by_endpoint;
	struct list mappers;
	struct list ended; /* still to hear of it */
	struct chunks *cache;
};

static void mapper_key(uint8_t key[static MAPPER_KEY_LEN], struct endpoint at)
{
	key[0] = at.ip.family;
	memcpy(key + 1, at.ip.byte, 16);
	put_be16(key + 17, at.port);
}

/* ---- credit ---- */

static void on_ping_turn(void *context)
{
	struct mapper *m = context;
	m->pings++;
	linkwire_send(m->wire, &(struct linkframe){.type = LINK_PING});
}

static void tell_credit(struct subscription *s, bool now_free)
{
	struct mapper *m = s->mapper;
	s->told_free = now_free;
	linkwire_send(m->wire, &(struct linkframe){.type = LINK_CREDIT, .stream = s->number, .free = now_free});
	if (now_free)
		return;
	s->barrier = m->pings + 1;
	loop_defer(m->dial->loop, &m->pinging);
}

static void update_credit(struct subscription *s)
{
	bool want = s->user_free && !s->hold;
	list_remove(&s->in_blocked);
	if (!want && s->told_free)
		tell_credit(s, false);
	else if (want && !s->told_free && s->mapper->pongs >= s->barrier)
		tell_credit(s, true);
	else if (want && !s->told_free)
		list_append(&s->mapper->blocked, &s->in_blocked);
}

static void tell_stands(struct subscription *s)
{
	uint64_t version = s->hold ? s->hold->version : s->version;
	linkwire_send(s->mapper->wire, &(struct linkframe){.type = LINK_STANDS, .stream = s->number, .version = version});
}

static void on_pong(struct mapper *m)
{
	m->pongs++;
	LIST_EACH(&m->blocked, s, struct subscription, in_blocked) {
		if (m->pongs >= s->barrier)
			update_credit(s);
	}
}

/* ---- missing chunks ---- */

static void want(struct subscription *s, const uint8_t name[static LINK_CHUNK_NAME_LEN])
{
	struct linkframe frame = {.type = LINK_WANT, .stream = s->number};
	if (table_put(s->mapper->wanted, bytes_of(name, LINK_CHUNK_NAME_LEN), s->mapper))
		return;
	memcpy(frame.chunk, name, sizeof(frame.chunk));
	linkwire_send(s->mapper->wire, &frame);
}

static void want_missing(struct subscription *s)
{
	for (size_t i = 0; i < s->hold->count; i++) {
		if (!s->hold->piece[i].body)
			want(s, s->hold->piece[i].name);
	}
}

/* Whoever asked may be the only one that gets an answer: the others that wait for the same name ask for themselves. */
static void want_again(struct mapper *m, const struct hold *gone)
{
	for (size_t i = 0; i < gone->count; i++) {
		const struct held_piece *piece = &gone->piece[i];
		if (piece->body || !table_remove(m->wanted, bytes_of(piece->name, sizeof(piece->name))))
			continue;
		LIST_EACH(&m->holding, s, struct subscription, in_holding) {
			if (hold_misses(s->hold, piece->name)) {
				want(s, piece->name);
				break;
			}
		}
	}
}

/* ---- ends ---- */

/* Off its mapper: nothing comes for it any more. */
static void detach(struct subscription *s)
{
	struct mapper *m = s->mapper;
	table_remove_number(m->by_number, s->number);
	list_remove(&s->link);
	list_remove(&s->in_blocked);
	list_remove(&s->in_holding);
	if (s->hold)
		want_again(m, s->hold);
	hold_free(&s->hold);
	s->mapper = NULL;
}

static void ended(struct subscription *s, enum err why, enum link_end reason)
{
	s->events->on_end(s->context, why, reason);
}

static void tell_ended(struct dial *d)
{
	struct subscription *s;
	while ((s = LIST_FIRST(&d->ended, struct subscription, link))) {
		list_remove(&s->link);
		ended(s, s->why, LINK_END_DONE);
	}
}

static void mapper_free(struct mapper *m)
{
	uint8_t key[MAPPER_KEY_LEN];
	mapper_key(key, m->at);
	table_remove(m->dial->by_endpoint, bytes_of(key, sizeof(key)));
	list_remove(&m->link);
	timer_cancel(&m->beat);
	defer_cancel(&m->pinging);
	linkwire_close(&m->wire);
	table_free(&m->by_number);
	table_free(&m->wanted);
	free(m);
}

static void log_loss(const struct mapper *m, enum err why)
{
	char text[ENDPOINT_TEXT_MAX];
	/* An end that does not like our first message just closes. */
	bool refused = !m->ready && (why == ERR_CLOSED || why == ERR_CRYPTO);
	endpoint_format(text, m->at);
	log_warning(SUBJECT("link"), refused ? "mapper refused, is its cluster secret the same" : "mapper lost", F_TEXT("mapper", text), F_ERR(why));
}

static void mapper_lost(struct mapper *m, enum err why)
{
	struct dial *d = m->dial;
	struct endpoint at = m->at;
	log_loss(m, why);
	struct subscription *s;
	while ((s = LIST_FIRST(&m->subscriptions, struct subscription, link))) {
		list_remove(&s->in_holding);
		hold_free(&s->hold);
		detach(s);
		s->why = why == ERR_TIMEOUT ? ERR_TIMEOUT : ERR_UNAVAILABLE;
		list_append(&d->ended, &s->link);
	}
	mapper_free(m);
	if (d->on_lost)
		d->on_lost(d->context, at);
	tell_ended(d);
}

/* ---- what mappers say ---- */

/* The subscription may be closed in its callback. */
static void give_full(struct subscription *s)
{
	struct mapper *m = s->mapper;
	struct hold *h = s->hold;
	uint32_t number = s->number;
	bool end_waits = s->end_waits;
	struct body **pieces = x_alloc(h->count * sizeof(struct body *));
	for (size_t i = 0; i < h->count; i++)
		pieces[i] = h->piece[i].body;
	s->hold = NULL;
	s->version = h->version;
	s->events->on_frame(s->context, h->version, pieces, h->count);
	free(pieces);
	hold_free(&h);
	s = table_find_number(m->by_number, number);
	if (!s)
		return;
	update_credit(s);
	if (end_waits) {
		enum link_end reason = s->reason;
		detach(s);
		ended(s, ERR_NONE, reason);
	}
}

static void on_full(struct mapper *m, const struct linkframe *frame)
{
	struct subscription *s = table_find_number(m->by_number, frame->stream);
	if (!s)
		return;
	if (!s->told_free) {
		tell_stands(s);
		return;
	}
	s->hold = hold_new(frame, m->dial->cache);
	if (!s->hold->missing) {
		give_full(s);
		return;
	}
	list_append(&m->holding, &s->in_holding);
	want_missing(s);
	update_credit(s);
}

static void on_body(struct mapper *m, const struct linkframe *frame)
{
	struct body *body = NULL;
	for (size_t at = 0; at < frame->streams.len; at += 4) {
		struct subscription *s = table_find_number(m->by_number, get_be32(frame->streams.at + at));
		if (!s)
			continue;
		if (!s->told_free) {
			tell_stands(s);
			continue;
		}
		if (!body)
			body = body_new(frame->bytes);
		s->version = frame->version;
		s->events->on_frame(s->context, frame->version, &body, 1);
	}
	body_drop(&body);
}

static void on_chunk(struct mapper *m, const struct linkframe *frame)
{
	struct chunks *cache = m->dial->cache;
	struct list whole;
	list_init(&whole);
	table_remove(m->wanted, bytes_of(frame->chunk, sizeof(frame->chunk)));
	struct body *body = body_new(frame->bytes);
	struct chunk_kept *chunk = chunks_put(cache, frame->chunk, body);
	LIST_EACH(&m->holding, s, struct subscription, in_holding) {
		if (hold_fill(s->hold, frame->chunk, chunk->body)) {
			list_remove(&s->in_holding);
			list_append(&whole, &s->in_holding);
		}
	}
	body_drop(&body);
	chunks_trim(cache, NULL, NULL);
	struct subscription *s;
	while ((s = LIST_FIRST(&whole, struct subscription, in_holding))) {
		list_remove(&s->in_holding);
		give_full(s);
	}
}

static void on_stream_end(struct mapper *m, const struct linkframe *frame)
{
	struct subscription *s = table_find_number(m->by_number, frame->stream);
	if (!s)
		return;
	/* Moved may be the answer to a chunk that is gone: then the map never becomes whole. */
	if (s->hold && frame->reason != LINK_END_MOVED) {
		s->end_waits = true;
		s->reason = frame->reason;
		return;
	}
	detach(s);
	ended(s, ERR_NONE, frame->reason);
}

static void on_frame(void *context, const struct linkframe *frame)
{
	struct mapper *m = context;
	switch (frame->type) {
	case LINK_BODY:
		on_body(m, frame);
		break;
	case LINK_FULL:
		on_full(m, frame);
		break;
	case LINK_CHUNK:
		on_chunk(m, frame);
		break;
	case LINK_FORGET:
		chunks_remove(m->dial->cache, frame->chunk);
		break;
	case LINK_END:
		on_stream_end(m, frame);
		break;
	case LINK_PONG:
		if (m->pongs == m->pings)
			mapper_lost(m, ERR_MALFORMED);
		else
			on_pong(m);
		break;
	default:
		mapper_lost(m, ERR_MALFORMED);
	}
}

/* ---- connections ---- */

static void on_beat(void *context)
{
	struct mapper *m = context;
	int64_t now = clock_mono().ms, heard = linkwire_heard(m->wire).ms;
	/* A loop that stood still has not listened: that is not the mapper's silence. */
	if (now - m->beaten_ms > 2 * LINK_HEARTBEAT_MS)
		m->excused_ms = now;
	m->beaten_ms = now;
	if (now - (heard > m->excused_ms ? heard : m->excused_ms) > LINK_SILENCE_MS) {
		mapper_lost(m, ERR_TIMEOUT);
		return;
	}
	loop_defer(m->dial->loop, &m->pinging);
	timer_set(&m->beat, LINK_HEARTBEAT_MS);
}

static void on_ready(void *context)
{
	struct mapper *m = context;
	char text[ENDPOINT_TEXT_MAX];
	endpoint_format(text, m->at);
	log_info(SUBJECT("link"), "mapper connected", F_TEXT("mapper", text));
	m->ready = true;
	m->beaten_ms = clock_mono().ms;
	loop_defer(m->dial->loop, &m->pinging);
	timer_set(&m->beat, LINK_HEARTBEAT_MS);
}

static void on_wire_end(void *context, enum err why)
{
	mapper_lost(context, why);
}

static const struct linkwire_events wire_tells = {.on_ready = on_ready, .on_frame = on_frame, .on_end = on_wire_end};

static struct mapper *mapper_new(struct dial *d, struct endpoint at)
{
	struct mapper *m = x_zalloc(sizeof(*m));
	uint8_t key[MAPPER_KEY_LEN];
	mapper_key(key, at);
	m->dial = d;
	m->at = at;
	m->by_number = table_new();
	m->wanted = table_new();
	list_init(&m->subscriptions);
	list_init(&m->blocked);
	list_init(&m->holding);
	defer_init(&m->pinging, on_ping_turn, m);
	timer_init(&m->beat, d->loop, on_beat, m);
	m->wire = linkwire_connect(d->loop, at, d->secret, &wire_tells, m);
	list_append(&d->mappers, &m->link);
	table_put(d->by_endpoint, bytes_of(key, sizeof(key)), m);
	return m;
}

static struct mapper *mapper_at(struct dial *d, struct endpoint at)
{
	uint8_t key[MAPPER_KEY_LEN];
	mapper_key(key, at);
	struct mapper *m = table_find(d->by_endpoint, bytes_of(key, sizeof(key)));
	return m ? m : mapper_new(d, at);
}

struct dial *dial_new(struct loop *loop, struct bytes cluster_secret, void (*on_lost)(void *context, struct endpoint mapper), void *context)
{
	struct dial *d = x_alloc(sizeof(*d));
	*d = (struct dial){.loop = loop, .on_lost = on_lost, .context = context};
	d->secret = bytes_of(x_dup(cluster_secret.at, cluster_secret.len), cluster_secret.len);
	d->by_endpoint = table_new();
	d->cache = chunks_new(LINK_CHUNKS_CAP);
	list_init(&d->mappers);
	list_init(&d->ended);
	return d;
}

void dial_free(struct dial **at)
{
	struct dial *d = *at;
	*at = NULL;
	if (!d)
		return;
	while (!list_empty(&d->mappers)) {
		struct mapper *m = LIST_FIRST(&d->mappers, struct mapper, link);
		assert(list_empty(&m->subscriptions));
		mapper_free(m);
	}
	assert(list_empty(&d->ended));
	table_free(&d->by_endpoint);
	chunks_free(&d->cache);
	key_wipe((void *)(uintptr_t)d->secret.at, d->secret.len);
	free((void *)(uintptr_t)d->secret.at);
	free(d);
}

/* ---- what polls say ---- */

static uint32_t next_number(struct mapper *m)
{
	do
		m->last_number++;
	while (table_find_number(m->by_number, m->last_number));
	return m->last_number;
}

struct subscription *dial_subscribe(struct dial *d, struct endpoint at, const struct link_subscribe *request, const struct subscription_events *events,
				    void *context)
{
	struct mapper *m = mapper_at(d, at);
	struct subscription *s = x_alloc(sizeof(*s));
	*s = (struct subscription){.dial = d, .mapper = m, .events = events, .context = context, .user_free = true, .told_free = true};
	s->number = next_number(m);
	list_append(&m->subscriptions, &s->link);
	list_init(&s->in_blocked);
	list_init(&s->in_holding);
	table_put_number(m->by_number, s->number, s);
	struct linkframe frame = {.type = LINK_SUBSCRIBE, .subscribe = *request};
	frame.subscribe.stream = s->number;
	linkwire_send(m->wire, &frame);
	return s;
}

void subscription_credit(struct subscription *s, bool now_free)
{
	s->user_free = now_free;
	if (s->mapper)
		update_credit(s);
}

void subscription_close(struct subscription **at)
{
	struct subscription *s = *at;
	*at = NULL;
	if (!s)
		return;
	if (s->mapper) {
		linkwire_send(s->mapper->wire, &(struct linkframe){.type = LINK_UNSUBSCRIBE, .stream = s->number});
		detach(s);
	} else {
		list_remove(&s->link);
	}
	free(s);
}
