#include "siblinglink.h"

#include <stdio.h>
#include <stdlib.h>

#include "log.h"
#include "metrics_relay.h"
#include "outward.h"
#include "relaystream.h"
#include "shard.h"

enum {
	GREETING_MS = 10000,
	SILENCE_MS = 120000,
	RETRY_LEAST_MS = 1000,
	RETRY_MOST_MS = 5000,
	RETRY_NEXT_MS = 60000,  /* at most between two attempts with the next key, while the link by the one before stands */
	RETRY_SELF_MS = 60000,  /* its name may come to lead to another relay */
	SETTLE_MS = 10000,      /* a link by the next key takes over after that, */
	SETTLE_MOST_MS = 60000, /* and while it is still being told of keys, after that */
	QUIET_MS = 2000,
	LEAVE_MS = 1000,   /* so long packets may come to the link before on ways that were chosen earlier */
	OUT_CAP = 1 << 20, /* of what is packed at once: half a window and a packet */
	OUT_WINDOW = 256 << 10,
	DEPTH = 4096,           /* packets of each kind that wait for a sibling, */
	DEPTH_BYTES = 16 << 20, /* and their bytes */
};

static void dial(struct siblinglink *l);

/* ---- end ---- */

static void drop_waiting(struct siblinglink *l, struct queue *q, bool disco)
{
	l->shard->mesh.waiting -= q->bytes;
	relay_count_drop(RELAY_DROP_GONE, disco, q->count, (int64_t)(q->bytes - (size_t)q->count * DERPFRAME_RECV_HEADER_LEN));
	queue_clear(q);
}

static void count(struct siblinglink *l, bool up)
{
	relay_count(RELAY_SIBLINGS, (int64_t)up - (int64_t)l->counted);
	l->counted = up;
}

static void count_unsent(struct siblinglink *l, size_t unsent)
{
	l->shard->mesh.unsent += unsent - l->unsent;
	l->unsent = unsent;
}

static void hang_up(struct siblinglink *l)
{
	count_unsent(l, 0);
	count(l, false);
	key_wipe(l->proven, sizeof l->proven);
	timer_cancel(&l->timer);
	defer_cancel(&l->flushing);
	outward_close(&l->outward);
	drop_waiting(l, &l->disco, true);
	drop_waiting(l, &l->other, false);
	if (l->state == LINK_UP)
		mesh_forget_link(l->shard, l->number);
	table_remove_number(l->shard->mesh.link_of, l->number);
}

static void on_ending(void *context)
{
	free(context);
}

struct siblinglink *siblinglink_successor(const struct siblinglink *l)
{
	LIST_EACH(&l->shard->mesh.links, next, struct siblinglink, link)
		if (next->before == l)
			return next;
	return NULL;
}

void siblinglink_end(struct siblinglink *l)
{
	struct siblinglink *next = siblinglink_successor(l);
	if (next)
		next->before = NULL;
	hang_up(l);
	l->state = LINK_WAITING;
	list_remove(&l->link);
	loop_defer(l->shard->loop, &l->ending);
}

/* It knows what the link before it knows, whose routes were the older ones and hence in use: those are forgotten first. */
static void take_over(struct siblinglink *l)
{
	struct siblinglink *before = l->before;
	log_info(SUBJECT("mesh"), "link to a sibling by the next key", F_TEXT("sibling", l->sibling.name));
	l->before = NULL;
	count(before, false);
	count(l, true);
	mesh_forget_link(before->shard, before->number);
	before->state = LINK_LEAVING;
	timer_set(&before->timer, LEAVE_MS);
	timer_set(&l->timer, SILENCE_MS);
}

static void settle(struct siblinglink *l)
{
	struct mono now = loop_now(l->shard->loop);
	if (now.ms - l->learned.ms < QUIET_MS && now.ms - l->up_since.ms < SETTLE_MOST_MS)
		timer_set(&l->timer, QUIET_MS);
	else
		take_over(l);
}

static void on_timer(void *context)
{
	struct siblinglink *l = context;
	int64_t silent = loop_now(l->shard->loop).ms - l->heard.ms;
	if (l->state == LINK_WAITING || l->state == LINK_SELF)
		dial(l);
	else if (l->state == LINK_LEAVING)
		siblinglink_end(l);
	else if (l->state == LINK_UP && l->before)
		settle(l);
	else if (l->state == LINK_UP && silent < SILENCE_MS)
		timer_set(&l->timer, SILENCE_MS - silent);
	else
		siblinglink_stop(l, "silent");
}

static int64_t retry_ms(struct siblinglink *l)
{
	int64_t jitter = (int64_t)(random_number() % (RETRY_MOST_MS - RETRY_LEAST_MS));
	if (!l->before)
		return RETRY_LEAST_MS + jitter;
	/* The sibling may hear of the key late, and asks coordinators about whoever has none. */
	int64_t pause = (int64_t)RETRY_LEAST_MS << (l->tries < 6 ? l->tries : 6);
	l->tries++;
	return (pause < RETRY_NEXT_MS - RETRY_MOST_MS ? pause : RETRY_NEXT_MS - RETRY_MOST_MS) + jitter;
}

/* The link broke, and another by the next key was being made: true when that one stands, and is the link from now on. */
static bool hand_over(struct siblinglink *l)
{
	struct siblinglink *next = siblinglink_successor(l);
	if (!next)
		return false;
	if (next->state == LINK_UP) {
		take_over(next);
		siblinglink_end(l);
		return true;
	}
	/* This one dials anew, with the next key. */
	siblinglink_end(next);
	l->key = 0;
	return false;
}

void siblinglink_stop(struct siblinglink *l, const char *reason)
{
	bool proven = l->state == LINK_UP;
	if (l->state == LINK_LEAVING) {
		siblinglink_end(l);
		return;
	}
	relay_count_at(RELAY_LINK_ENDS, l->state <= LINK_DIALING ? RELAY_LINK_DIALING : l->state - LINK_DIALING, 1);
	LOG_AT(proven ? LOG_WARNING : LOG_INFO, SUBJECT("mesh"), "no link to a sibling", F_TEXT("sibling", l->sibling.name), F_TEXT("reason", reason));
	/* It said nothing of who is there: it may know our other key only. */
	if (l->state == LINK_PROVING && !l->before)
		l->key++;
	if (hand_over(l))
		return;
	hang_up(l);
	l->state = LINK_WAITING;
	timer_set(&l->timer, retry_ms(l));
}

/* ---- out ---- */

static void pack(struct siblinglink *l, struct buffer *out, struct queue *q)
{
	struct packet *p = queue_pop(q);
	uint8_t head[DERPFRAME_FORWARD_HEADER_LEN];
	struct node_key source;
	packet_source(p, &source);
	derpframe_encode_forward(head, &source, &p->to, p->len);
	if (buffer_add(out, bytes_of(head, sizeof head)) || buffer_add(out, bytes_of(packet_payload(p), p->len)))
		abort();
	l->shard->mesh.waiting -= packet_frame_len(p);
	relay_count(RELAY_FORWARDED_OUT, 1);
	packet_free(&p);
}

bool siblinglink_carries(const struct siblinglink *l)
{
	return l->state == LINK_UP || l->state == LINK_LEAVING;
}

static void on_flush(void *context)
{
	struct siblinglink *l = context;
	struct buffer out;
	buffer_init(&out, OUT_CAP);
	while (siblinglink_carries(l) && (l->disco.count || l->other.count) && outward_unsent(l->outward) < OUT_WINDOW) {
		buffer_reset(&out);
		while (out.len < OUT_WINDOW / 2 && (l->disco.count || l->other.count))
			pack(l, &out, l->disco.count ? &l->disco : &l->other);
		if (!outward_say(l->outward, buffer_bytes(&out)))
			siblinglink_stop(l, "cannot write");
	}
	buffer_clear(&out);
	if (siblinglink_carries(l))
		count_unsent(l, outward_unsent(l->outward));
}

size_t siblinglink_waiting(const struct siblinglink *l)
{
	return l->disco.bytes + l->other.bytes;
}

bool siblinglink_is_slow(const struct siblinglink *l)
{
	return siblinglink_carries(l) && outward_unsent(l->outward) >= OUT_WINDOW;
}

/* One that came out of its queue. */
static void lose(struct siblinglink *l, struct packet *p, enum relay_drop reason)
{
	l->shard->mesh.waiting -= packet_frame_len(p);
	relay_count_drop(reason, p->disco, 1, p->len);
	packet_free(&p);
}

void siblinglink_lose_oldest(struct siblinglink *l)
{
	lose(l, queue_pop(l->other.count ? &l->other : &l->disco), RELAY_DROP_MEMORY);
}

void siblinglink_send(struct siblinglink *l, struct packet *p)
{
	struct queue *q = p->disco ? &l->disco : &l->other;
	if (!room_make_for_sibling(l->shard, siblinglink_is_slow(l), p))
		return;
	packet_keep(&p);
	l->shard->mesh.waiting += packet_frame_len(p);
	queue_add(q, p);
	struct packet *oldest;
	while ((oldest = queue_cut_to(q, DEPTH, DEPTH_BYTES)))
		lose(l, oldest, RELAY_DROP_QUEUE_HEAD);
	loop_defer(l->shard->loop, &l->flushing);
}

/* ---- in ---- */

static bool greet(struct siblinglink *l, const struct node_key *key)
{
	const struct relay *r = l->shard->relay;
	const struct told *told = l->shard->life.told;
	uint8_t watch[DERPFRAME_HEADER_LEN];
	struct buffer out;
	buffer_init(&out, 4096);
	derpframe_encode(watch, DERPFRAME_WATCH_CONNS, 0);
	if (told && told->mesh_key_count)
		memcpy(l->proven, told->mesh_key[l->key % told->mesh_key_count], KEY_LEN);
	bool said = told && told->mesh_key_count && !derpframe_encode_mesh_info(&r->key, &r->public_key, key, l->proven, &out) &&
		    !buffer_add(&out, bytes_of(watch, sizeof watch)) && outward_say(l->outward, buffer_bytes(&out));
	buffer_clear(&out);
	return said;
}

/* It was told of somebody, so that its key was taken. */
static void begin(struct siblinglink *l)
{
	l->state = LINK_UP;
	l->up_since = l->heard;
	l->tries = 0;
	l->was_self = false;
	timer_set(&l->timer, l->before ? SETTLE_MS : SILENCE_MS);
	if (l->before)
		return;
	count(l, true);
	log_info(SUBJECT("mesh"), "link to a sibling", F_TEXT("sibling", l->sibling.name), F_TEXT("host", l->sibling.host));
}

static void hear_news(struct siblinglink *l, uint8_t type, struct bytes payload)
{
	struct node_key key;
	bool present;
	if (!derpframe_decode_news(type, payload, &key, &present))
		return;
	if (present && l->state == LINK_PROVING)
		begin(l);
	if (present)
		l->learned = l->heard;
	if (l->state == LINK_UP)
		mesh_learn(l->shard, l->number, &key, present);
}

/* False: the link has ended. */
static bool take(struct siblinglink *l, const struct relaystream_event *e)
{
	char reason[64];
	switch (e->kind) {
	case RELAYSTREAM_KEY:
		if (!memcmp(e->key.raw, l->shard->relay->public_key.raw, KEY_LEN)) {
			hang_up(l);
			l->state = LINK_SELF;
			timer_set(&l->timer, RETRY_SELF_MS);
			if (!l->was_self)
				log_info(SUBJECT("mesh"), "a sibling is this relay itself", F_TEXT("sibling", l->sibling.name));
			l->was_self = true;
			return false;
		}
		l->state = LINK_PROVING;
		if (!greet(l, &e->key)) {
			siblinglink_stop(l, "cannot write");
			return false;
		}
		return true;
	case RELAYSTREAM_FRAME:
		hear_news(l, e->type, e->payload);
		return true;
	case RELAYSTREAM_BAD:
		snprintf(reason, sizeof reason, e->status > 1 ? "answered %u" : "does not speak as relays do", e->status);
		siblinglink_stop(l, reason);
		return false;
	default:
		return true;
	}
}

static void on_data(void *context, struct buffer *in)
{
	struct siblinglink *l = context;
	struct relaystream_event event;
	l->heard = loop_now(l->shard->loop);
	do {
		event = relaystream_next(&l->stream, in);
		if (event.kind == RELAYSTREAM_MORE)
			break;
	} while (take(l, &event));
}

static void on_connected(void *context)
{
	struct siblinglink *l = context;
	l->state = LINK_GREETING;
	timer_set(&l->timer, GREETING_MS);
}

static void on_written(void *context)
{
	struct siblinglink *l = context;
	if (siblinglink_carries(l))
		on_flush(l);
}

static void on_end(void *context, const char *why)
{
	siblinglink_stop(context, why);
}

static const struct outward_events events = {.on_connected = on_connected, .on_data = on_data, .on_written = on_written, .on_end = on_end};

static void dial(struct siblinglink *l)
{
	const struct outward_wish wish = {.to = l->sibling, .out_cap = 8 << 20};
	timer_cancel(&l->timer);
	l->outward = outward_open(l->shard->loop, &wish, &events, l);
	if (!l->outward) {
		siblinglink_stop(l, "no TLS");
		return;
	}
	l->stream = (struct relaystream){0};
	l->number = ++l->shard->mesh.last_link;
	table_put_number(l->shard->mesh.link_of, l->number, l);
	l->state = LINK_DIALING;
}

struct siblinglink *siblinglink_new(struct shard *s, const struct derpnode *sibling, struct siblinglink *before)
{
	struct siblinglink *l = x_zalloc(sizeof *l);
	l->shard = s;
	l->sibling = *sibling;
	l->before = before;
	queue_init(&l->disco);
	queue_init(&l->other);
	timer_init(&l->timer, s->loop, on_timer, l);
	defer_init(&l->flushing, on_flush, l);
	defer_init(&l->ending, on_ending, l);
	list_append(&s->mesh.links, &l->link);
	timer_set(&l->timer, 0);
	return l;
}
