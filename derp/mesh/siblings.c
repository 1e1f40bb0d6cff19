#include "siblings.h"

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
	LEAVE_MS = 1000, /* so long packets may come to the link before on ways that were chosen earlier */
	OUT_CAP = 1 << 20,
	OUT_WINDOW = 256 << 10,
	DEPTH = 4096,           /* packets of each kind that wait for a sibling, */
	DEPTH_BYTES = 16 << 20, /* and their bytes */
};

enum link_state { LINK_WAITING, LINK_DIALING, LINK_GREETING, LINK_PROVING, LINK_UP, LINK_LEAVING, LINK_SELF };

struct link {
	struct shard *shard;
	struct list link;
	uint32_t number;
	struct derpnode sibling;
	enum link_state state;
	struct outward *outward;
	struct relaystream stream;
	struct queue disco, other;
	size_t unsent;           /* by its connection, as counted */
	unsigned key;            /* which of the mesh keys is tried */
	uint8_t proven[KEY_LEN]; /* it */
	struct link *before;     /* to the same sibling by the key before: packets go by that one until this one knows as much */
	unsigned tries;          /* while there is one before */
	bool wanted, counted, was_self;
	struct timer timer;
	struct mono heard, learned, up_since;
	struct defer flushing, ending;
};

static void dial(struct link *l);
static void stop(struct link *l, const char *reason);

/* ---- end ---- */

static void drop_waiting(struct link *l, struct queue *q, bool disco)
{
	l->shard->mesh.waiting -= q->bytes;
	relay_count_drop(RELAY_DROP_GONE, disco, q->count, (int64_t)(q->bytes - (size_t)q->count * DERPFRAME_RECV_HEADER_LEN));
	queue_clear(q);
}

static void count(struct link *l, bool up)
{
	relay_count(RELAY_SIBLINGS, (int64_t)up - (int64_t)l->counted);
	l->counted = up;
}

static void count_unsent(struct link *l, size_t unsent)
{
	l->shard->mesh.unsent += unsent - l->unsent;
	l->unsent = unsent;
}

static void hang_up(struct link *l)
{
	count_unsent(l, 0);
	count(l, false);
	key_wipe(l->proven, sizeof l->proven);
	timer_cancel(&l->timer);
	defer_cancel(&l->flushing);
	outward_close(&l->outward);
	drop_waiting(l, &l->disco, true);
	drop_waiting(l, &l->other, false);
	mesh_forget_link(l->shard, l->number);
	table_remove_number(l->shard->mesh.link_of, l->number);
}

static void on_ending(void *context)
{
	free(context);
}

static struct link *successor_of(const struct link *l)
{
	LIST_EACH(&l->shard->mesh.links, next, struct link, link)
		if (next->before == l)
			return next;
	return NULL;
}

static void end(struct link *l)
{
	struct link *next = successor_of(l);
	if (next)
		next->before = NULL;
	hang_up(l);
	l->state = LINK_WAITING;
	list_remove(&l->link);
	loop_defer(l->shard->loop, &l->ending);
}

/* It knows what the link before it knows, whose routes were the older ones and hence in use: those are forgotten first. */
static void take_over(struct link *l)
{
	struct link *before = l->before;
	log_info(SUBJECT("mesh"), "link to a sibling by the next key", F_TEXT("sibling", l->sibling.name));
	l->before = NULL;
	count(before, false);
	count(l, true);
	mesh_forget_link(before->shard, before->number);
	before->state = LINK_LEAVING;
	timer_set(&before->timer, LEAVE_MS);
	timer_set(&l->timer, SILENCE_MS);
}

static void settle(struct link *l)
{
	struct mono now = loop_now(l->shard->loop);
	if (now.ms - l->learned.ms < QUIET_MS && now.ms - l->up_since.ms < SETTLE_MOST_MS)
		timer_set(&l->timer, QUIET_MS);
	else
		take_over(l);
}

static void on_timer(void *context)
{
	struct link *l = context;
	int64_t silent = loop_now(l->shard->loop).ms - l->heard.ms;
	if (l->state == LINK_WAITING || l->state == LINK_SELF)
		dial(l);
	else if (l->state == LINK_LEAVING)
		end(l);
	else if (l->state == LINK_UP && l->before)
		settle(l);
	else if (l->state == LINK_UP && silent < SILENCE_MS)
		timer_set(&l->timer, SILENCE_MS - silent);
	else
		stop(l, "silent");
}

static int64_t retry_ms(struct link *l)
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
static bool hand_over(struct link *l)
{
	struct link *next = successor_of(l);
	if (!next)
		return false;
	if (next->state == LINK_UP) {
		take_over(next);
		end(l);
		return true;
	}
	/* This one dials anew, with the next key. */
	end(next);
	l->key = 0;
	return false;
}

/* And again, a little later. What was learned by it is forgotten first. */
static void stop(struct link *l, const char *reason)
{
	bool proven = l->state == LINK_UP;
	if (l->state == LINK_LEAVING) {
		end(l);
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

static bool pack(struct link *l, struct buffer *out, struct queue *q)
{
	struct packet *p = queue_pop(q);
	uint8_t head[DERPFRAME_FORWARD_HEADER_LEN];
	struct node_key source;
	packet_source(p, &source);
	derpframe_encode_forward(head, &source, &p->to, p->len);
	bool fits = !buffer_add(out, bytes_of(head, sizeof head)) && !buffer_add(out, bytes_of(packet_payload(p), p->len));
	l->shard->mesh.waiting -= packet_frame_len(p);
	relay_count(RELAY_FORWARDED_OUT, 1);
	packet_free(&p);
	return fits;
}

static bool carries(const struct link *l)
{
	return l->state == LINK_UP || l->state == LINK_LEAVING;
}

static void on_flush(void *context)
{
	struct link *l = context;
	struct buffer out;
	buffer_init(&out, OUT_CAP);
	while (carries(l) && (l->disco.count || l->other.count) && outward_unsent(l->outward) < OUT_WINDOW) {
		buffer_reset(&out);
		while (out.len < OUT_WINDOW / 2 && (l->disco.count || l->other.count))
			if (!pack(l, &out, l->disco.count ? &l->disco : &l->other))
				break;
		if (!outward_say(l->outward, buffer_bytes(&out)))
			stop(l, "cannot write");
	}
	buffer_clear(&out);
	if (carries(l))
		count_unsent(l, outward_unsent(l->outward));
}

static size_t waits_for(const struct link *l)
{
	return l->disco.bytes + l->other.bytes;
}

/* What waits for it waits longer than a turn. */
static bool is_slow(const struct link *l)
{
	return carries(l) && outward_unsent(l->outward) >= OUT_WINDOW;
}

/* One that came out of its queue. */
static void lose(struct link *l, struct packet *p, enum relay_drop reason)
{
	l->shard->mesh.waiting -= packet_frame_len(p);
	relay_count_drop(reason, p->disco, 1, p->len);
	packet_free(&p);
}

size_t siblings_waiting(const struct shard *s)
{
	size_t bytes = 0;
	if (s->mesh.waiting)
		LIST_EACH(&s->mesh.links, l, struct link, link)
			bytes += is_slow(l) ? waits_for(l) : 0;
	return bytes;
}

void siblings_give_way(struct shard *s, size_t bytes)
{
	struct link *most = NULL;
	LIST_EACH(&s->mesh.links, l, struct link, link)
		if (is_slow(l) && (!most || waits_for(l) > waits_for(most)))
			most = l;
	size_t before = s->mesh.waiting;
	while (most && waits_for(most) && before - s->mesh.waiting < bytes)
		lose(most, queue_pop(most->other.count ? &most->other : &most->disco), RELAY_DROP_MEMORY);
}

static void queue(struct link *l, struct packet *p)
{
	struct queue *q = p->disco ? &l->disco : &l->other;
	if (!room_make_for_sibling(l->shard, is_slow(l), p))
		return;
	packet_keep(&p);
	l->shard->mesh.waiting += packet_frame_len(p);
	queue_add(q, p);
	struct packet *oldest;
	while ((oldest = queue_cut_to(q, DEPTH, DEPTH_BYTES)))
		lose(l, oldest, RELAY_DROP_QUEUE_HEAD);
	loop_defer(l->shard->loop, &l->flushing);
}

void siblings_send(struct shard *s, struct packet *p)
{
	struct link *l = table_find_number(s->mesh.link_of, p->via);
	if (l && carries(l)) {
		queue(l, p);
		return;
	}
	relay_count_drop(RELAY_DROP_UNKNOWN_DEST, p->disco, 1, p->len);
	packet_free(&p);
}

/* ---- in ---- */

static bool greet(struct link *l, const struct node_key *key)
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
static void begin(struct link *l)
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

/* Who is there and who is not. What older relays do not say behind the key is not looked at. */
static void hear_news(struct link *l, uint8_t type, struct bytes payload)
{
	struct node_key key;
	bool present = type == DERPFRAME_PEER_PRESENT;
	if ((!present && type != DERPFRAME_PEER_GONE) || payload.len < KEY_LEN)
		return;
	memcpy(key.raw, payload.at, KEY_LEN);
	if (present && l->state == LINK_PROVING)
		begin(l);
	if (present)
		l->learned = l->heard;
	if (l->state == LINK_UP)
		mesh_learn(l->shard, l->number, &key, present);
}

/* False: the link has ended. */
static bool take(struct link *l, const struct relaystream_event *e)
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
			stop(l, "cannot write");
			return false;
		}
		return true;
	case RELAYSTREAM_FRAME:
		hear_news(l, e->type, e->payload);
		return true;
	case RELAYSTREAM_BAD:
		snprintf(reason, sizeof reason, e->status > 1 ? "answered %u" : "does not speak as relays do", e->status);
		stop(l, reason);
		return false;
	default:
		return true;
	}
}

static void on_data(void *context, struct buffer *in)
{
	struct link *l = context;
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
	struct link *l = context;
	l->state = LINK_GREETING;
	timer_set(&l->timer, GREETING_MS);
}

static void on_written(void *context)
{
	struct link *l = context;
	if (carries(l))
		on_flush(l);
}

static void on_end(void *context, const char *why)
{
	stop(context, why);
}

static const struct outward_events events = {.on_connected = on_connected, .on_data = on_data, .on_written = on_written, .on_end = on_end};

static void dial(struct link *l)
{
	const struct outward_wish wish = {.to = l->sibling, .out_cap = 8 << 20};
	timer_cancel(&l->timer);
	l->outward = outward_open(l->shard->loop, &wish, &events, l);
	if (!l->outward) {
		stop(l, "no TLS");
		return;
	}
	l->stream = (struct relaystream){0};
	l->number = ++l->shard->mesh.last_link;
	table_put_number(l->shard->mesh.link_of, l->number, l);
	l->state = LINK_DIALING;
}

/* ---- which ---- */

static bool is_ours(const struct shard *s, const struct derpnode *sibling)
{
	uint64_t sum = 14695981039346656037u;
	for (const char *c = sibling->name; *c; c++)
		sum = (sum ^ (uint8_t)*c) * 1099511628211u;
	return sum % s->relay->count == s->index;
}

static struct link *find(const struct shard *s, const struct derpnode *sibling)
{
	LIST_EACH(&s->mesh.links, l, struct link, link)
		if (!l->before && l->state != LINK_LEAVING && !memcmp(&l->sibling, sibling, sizeof *sibling))
			return l;
	return NULL;
}

static struct link *link_new(struct shard *s, const struct derpnode *sibling)
{
	struct link *l = x_zalloc(sizeof *l);
	l->shard = s;
	l->sibling = *sibling;
	queue_init(&l->disco);
	queue_init(&l->other);
	timer_init(&l->timer, s->loop, on_timer, l);
	defer_init(&l->flushing, on_flush, l);
	defer_init(&l->ending, on_ending, l);
	list_append(&s->mesh.links, &l->link);
	timer_set(&l->timer, 0);
	return l;
}

void siblings_follow(struct shard *s, const struct told *told)
{
	LIST_EACH(&s->mesh.links, l, struct link, link)
		l->wanted = false;
	for (size_t i = 0; i < told->sibling_count && told->mesh_key_count; i++) {
		const struct derpnode *sibling = &told->siblings[i];
		struct link *l = find(s, sibling);
		if (!is_ours(s, sibling))
			continue;
		if (!l)
			l = link_new(s, sibling);
		l->wanted = true;
		struct link *next = successor_of(l);
		if (!next && l->state == LINK_UP && !key_equal(l->proven, told->mesh_key[0])) {
			next = link_new(s, sibling);
			next->before = l;
		}
		if (next)
			next->wanted = true;
		/* A sibling that has not followed when the overlap is over: nothing goes there any more, as nothing of it is taken. */
		if (l->state == LINK_UP && !told_is_mesh_key(told, l->proven) && (!next || next->state != LINK_UP))
			stop(l, "its key counts no more");
	}
	LIST_EACH(&s->mesh.links, l, struct link, link) {
		if (!l->wanted && l->state != LINK_LEAVING)
			end(l);
	}
}

void siblings_close(struct shard *s)
{
	LIST_EACH(&s->mesh.links, l, struct link, link)
		end(l);
}
