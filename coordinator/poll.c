#include "poll.h"

#include <assert.h>
#include <stdlib.h>

#include "log.h"
#include "mapframe.h"
#include "reports.h"
#include "session.h"
#include "table.h"

enum {
	RESUBSCRIBE_MS = 200,       /* a lost mapper is marked by then; the next pick is another */
	UNKNOWN_NODE_TRIES = 10,    /* a keeper may still be behind the commit that made the node */
	KEEPALIVE_SPREAD_MS = 8000, /* docs/protocol/map.md: 50 s and up to 8 s random */
	TOUCH_EVERY_MS = 30000,     /* at most so old is last_seen of a node whose coordinator was killed */
	CLOGGED_MS = 110000,        /* who took no frame for so long gives up by itself at 120 s, or is not there */
	FRAME_PIECES_MAX = 65536,   /* chunks of 64 peers: four million peers */
	QUESTIONS_MAX = 16          /* that wait for room */
};

struct poll {
	struct coordinator *c;
	struct exchange *x;
	struct subscription *subscription;
	struct timer keepalive, resubscribe, deadline;
	struct link_subscribe request;
	struct body *questions[QUESTIONS_MAX]; /* frames of our own that wait for room, the oldest first */
	unsigned question_count;
	struct body **pending; /* one whole frame, when the stream has no room */
	size_t pending_count;
	unsigned unknown_tries;
	bool told;         /* a first frame went out */
	bool ending;       /* END_STREAM once the pending frame has gone */
	bool first_polled; /* the row knows that a full map went out */
	bool present;      /* presence was taken: streams only */
	bool replaced;     /* a newer stream of the node exists: nobody hears of a farewell */
	struct mono room;  /* when there was room last */
	struct mono sent;  /* when the last frame went */
	int64_t keepalive_ms;
};

#define POLL(p) ((struct subject){.kind = "poll", .tailnet = (p)->request.tailnet, .node = (p)->request.node, .id = (p)->request.session})

static void poll_subscribe(struct poll *p);

static void pieces_drop(struct body **pieces, size_t count)
{
	for (size_t i = 0; i < count; i++)
		body_drop(&pieces[i]);
	free(pieces);
}

static void questions_drop(struct poll *p, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		body_drop(&p->questions[i]);
	p->question_count -= count;
	memmove(p->questions, p->questions + count, p->question_count * sizeof *p->questions);
}

/* The only exit but the exchange's own (on_gone): everything is let go of, the exchange is left to the caller. */
static void poll_release(struct poll *p)
{
	timer_cancel(&p->keepalive);
	timer_cancel(&p->resubscribe);
	timer_cancel(&p->deadline);
	if (p->present) {
		presence_drop(p->c->presence, p->request.tailnet, p->request.node, p->request.session);
		if (!p->replaced)
			reports_seen(p->c->reports, p->request.tailnet, p->request.node, true);
		if (table_find_number(p->c->polls, p->request.node) == p)
			table_remove_number(p->c->polls, p->request.node);
		metric_add(metric_polls, -1);
		p->c->poll_count--;
	}
	subscription_close(&p->subscription);
	pieces_drop(p->pending, p->pending_count);
	questions_drop(p, p->question_count);
	free(p);
}

static void poll_end(struct poll *p, enum err why, const char *reason)
{
	struct exchange *x = p->x;

	log_debug(POLL(p), "map stream ended", F_ERR(why), F_TEXT("reason", reason));
	poll_release(p);
	exchange_end(x);
}

static void poll_abort(struct poll *p, const char *reason)
{
	struct exchange *x = p->x;

	log_warning(POLL(p), reason);
	poll_release(p);
	exchange_abort(x);
}

static void on_gone(void *context, enum err why)
{
	struct poll *p = context;

	log_debug(POLL(p), "map stream left by its client", F_ERR(why));
	poll_release(p);
}

static void poll_send(struct poll *p, struct body *const *pieces, size_t count)
{
	exchange_send(p->x, pieces, count);
	metric_add(metric_frames, 1);
	p->sent = loop_now(p->c->loop);
	if (p->told)
		return;
	p->told = true;
	timer_cancel(&p->deadline);
	if (!p->first_polled && p->present)
		reports_first_polled(p->c->reports, p->request.tailnet, p->request.node);
}

static void on_frame(void *context, uint64_t version, struct body *const *pieces, size_t count)
{
	struct poll *p = context;
	struct body **frame;
	size_t len = 0;

	(void)version;
	assert(!p->pending && count < FRAME_PIECES_MAX);
	frame = x_alloc((count + 1) * sizeof *frame);
	for (size_t i = 0; i < count; i++) {
		frame[i + 1] = body_take(pieces[i]);
		len += pieces[i]->len;
	}
	frame[0] = body_room(MAPFRAME_HEADER_LEN);
	mapframe_header(frame[0]->at, len);
	if (exchange_ready(p->x)) {
		poll_send(p, frame, count + 1);
		pieces_drop(frame, count + 1);
		return;
	}
	p->pending = frame;
	p->pending_count = count + 1;
	subscription_credit(p->subscription, false);
}

/* The mapper's frame goes first. */
static void poll_put_questions(struct poll *p)
{
	if (!p->question_count || p->pending || !exchange_ready(p->x))
		return;
	exchange_send(p->x, p->questions, p->question_count);
	questions_drop(p, p->question_count);
	p->sent = loop_now(p->c->loop);
}

static void on_room(void *context)
{
	struct poll *p = context;
	struct body **frame = p->pending;
	size_t count = p->pending_count;

	p->room = clock_mono();
	if (frame) {
		p->pending = NULL;
		p->pending_count = 0;
		poll_send(p, frame, count);
		pieces_drop(frame, count);
	}
	if (p->ending) {
		poll_end(p, ERR_NONE, "done");
		return;
	}
	if (frame && p->subscription)
		subscription_credit(p->subscription, true);
	poll_put_questions(p);
}

/* Frames do not set the timer anew: that would be paid for with each of them. */
static void on_keepalive(void *context)
{
	struct poll *p = context;
	int64_t left = p->sent.ms + p->keepalive_ms - loop_now(p->c->loop).ms;
	struct body *frame;

	if (left > 0) {
		timer_set(&p->keepalive, left);
		return;
	}
	if (exchange_ready(p->x)) {
		p->room = clock_mono();
		frame = body_new(mapframe_keepalive(p->request.zstd));
		exchange_send(p->x, &frame, 1);
		body_drop(&frame);
	} else if (clock_mono().ms - p->room.ms > CLOGGED_MS) {
		poll_abort(p, "client takes nothing");
		return;
	}
	p->sent = loop_now(p->c->loop);
	timer_set(&p->keepalive, p->keepalive_ms);
}

/* The client's own watchdog is 120 s (docs/protocol/map.md): better a clean break before it. */
static void on_deadline(void *context)
{
	poll_abort(context, "no first map in time");
}

static void on_resubscribe(void *context)
{
	poll_subscribe(context);
}

/* Nothing was told yet, so another mapper may begin: a full map inside a running stream is not a first frame (docs/link.md). */
static bool poll_may_retry(const struct poll *p, enum err why, enum link_end reason)
{
	if (p->told || p->pending)
		return false;
	if (why == ERR_NONE && reason == LINK_END_NO_NODE)
		return p->unknown_tries < UNKNOWN_NODE_TRIES;
	return why != ERR_NONE || reason != LINK_END_DONE;
}

static void on_subscription_end(void *context, enum err why, enum link_end reason)
{
	struct poll *p = context;

	subscription_close(&p->subscription);
	if (poll_may_retry(p, why, reason)) {
		p->unknown_tries += why == ERR_NONE && reason == LINK_END_NO_NODE;
		timer_set(&p->resubscribe, RESUBSCRIBE_MS);
	} else if (p->pending) {
		p->ending = true;
	} else {
		poll_end(p, why, reason == LINK_END_NO_NODE ? "node is gone" : "mapper ended it");
	}
}

static const struct subscription_events subscription_events = {on_frame, on_subscription_end};

static void poll_subscribe(struct poll *p)
{
	struct endpoint mapper;

	if (roster_pick(p->c->roster, p->request.tailnet, &mapper)) {
		timer_set(&p->resubscribe, RESUBSCRIBE_MS);
		return;
	}
	p->subscription = dial_subscribe(p->c->dial, mapper, &p->request, &subscription_events, p);
}

static void poll_take_presence(struct poll *p)
{
	struct poll *older = table_put_number(p->c->polls, p->request.node, p);

	p->present = true;
	p->c->poll_count++;
	metric_add(metric_polls, 1);
	presence_take(p->c->presence, p->request.tailnet, p->request.node, p->request.session);
	reports_seen(p->c->reports, p->request.tailnet, p->request.node, false);
	if (older) {
		older->replaced = true;
		poll_end(older, ERR_CANCELED, "a newer stream of this node");
	}
}

static const struct exchange_events stream_events = {on_room, on_gone};

void poll_open(struct exchange *x, const struct node *node, const struct map_request *request)
{
	struct poll *p = x_zalloc(sizeof *p);
	struct coordinator *c = x->program;

	p->c = c;
	p->x = x;
	p->request = (struct link_subscribe){
		.tailnet = node->tailnet,
		.node = node->id,
		.session = random_number() >> 1,
		.capver = (uint16_t)(request->capver < UINT16_MAX ? request->capver : UINT16_MAX),
		.zstd = request->zstd,
		.once = request->kind != MAP_STREAM,
		.omit_peers = request->kind == MAP_READ_SELF,
	};
	p->room = clock_mono();
	p->sent = loop_now(c->loop);
	p->keepalive_ms = c->options->keepalive_ms + (int64_t)(random_number() % KEEPALIVE_SPREAD_MS);
	p->first_polled = !wall_is_zero(node->first_polled);
	timer_init(&p->keepalive, c->loop, on_keepalive, p);
	timer_init(&p->resubscribe, c->loop, on_resubscribe, p);
	timer_init(&p->deadline, c->loop, on_deadline, p);
	exchange_stream(x, 200, "application/json", &stream_events, p);
	timer_set(&p->deadline, c->options->first_frame_ms);
	timer_set(&p->keepalive, p->keepalive_ms);
	if (request->kind == MAP_STREAM)
		poll_take_presence(p);
	log_debug(POLL(p), "map stream opened", F_UINT("capver", request->capver));
	poll_subscribe(p);
}

void poll_replaced(struct coordinator *c, uint64_t tailnet, uint64_t node, uint64_t session)
{
	struct poll *p = table_find_number(c->polls, node);

	if (p && p->request.tailnet == tailnet && p->request.session == session) {
		p->replaced = true;
		poll_end(p, ERR_CANCELED, "a newer stream of this node elsewhere");
	}
}

void poll_end_all(struct coordinator *c)
{
	struct bytes key;
	struct poll *p;

	TABLE_EACH(c->polls, key, p)
		poll_end(p, ERR_CANCELED, "drain");
}

static void on_touch(void *context)
{
	struct coordinator *c = context;
	struct bytes key;
	struct poll *p;

	TABLE_EACH(c->polls, key, p)
		reports_seen(c->reports, p->request.tailnet, p->request.node, false);
	timer_set(&c->poll_touch, TOUCH_EVERY_MS);
}

void polls_start(struct coordinator *c)
{
	c->polls = table_new();
	timer_init(&c->poll_touch, c->loop, on_touch, c);
	timer_set(&c->poll_touch, TOUCH_EVERY_MS);
}

void polls_stop(struct coordinator *c)
{
	timer_cancel(&c->poll_touch);
	table_free(&c->polls);
}

static struct poll *poll_of(struct coordinator *c, uint64_t node)
{
	struct poll *p = table_find_number(c->polls, node);

	return p && p->told && !p->ending ? p : NULL;
}

bool poll_host(struct coordinator *c, uint64_t tailnet, uint64_t node, struct bytes *host)
{
	const struct poll *p = poll_of(c, node);

	if (!p || p->request.tailnet != tailnet)
		return false;
	*host = p->x->host;
	return true;
}

void poll_ask(struct coordinator *c, uint64_t node, struct bytes json)
{
	struct poll *p = poll_of(c, node);
	struct buffer piece, frame;

	if (!p)
		return;
	buffer_init(&piece, MAPFRAME_MAX);
	buffer_init(&frame, MAPFRAME_MAX);
	if (!(p->request.zstd ? mapframe_compress(json, &piece) : buffer_add(&piece, json)) && !mapframe_wrap(buffer_bytes(&piece), &frame)) {
		/* Who waited longest has given up by now. */
		if (p->question_count == QUESTIONS_MAX)
			questions_drop(p, 1);
		p->questions[p->question_count++] = body_new(buffer_bytes(&frame));
		poll_put_questions(p);
	}
	buffer_clear(&piece);
	buffer_clear(&frame);
}
