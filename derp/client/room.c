#include "room.h"

#include "clientparts.h"
#include "log.h"
#include "metrics_relay.h"
#include "siblings.h"

enum {
	STEP = 64 << 10, /* of what the relay is told at once */
	TELL_MS = 250,   /* how often it is told the rest */
	LOOKS = 16,      /* clients looked at for one packet's room */
	COST = 2 << 10,  /* of a connection */
	COST_TLS = 16 << 10,
};

static void tell(struct shard *s, int64_t sum)
{
	atomic_fetch_add_explicit(&s->relay->held, sum - s->room.told, memory_order_relaxed);
	s->room.told = sum;
}

void room_close(struct shard *s)
{
	timer_cancel(&s->room.look);
	tell(s, 0);
}

/* ---- memory ---- */

/* A connection's. */
static int64_t cost_of(const struct shard *s)
{
	return relay_certificate(s->relay) ? COST_TLS : COST;
}

static int64_t sum_of(const struct shard *s)
{
	const struct room *r = &s->room;
	size_t connections = table_count(s->clients) + s->guest_count + (s->server ? server_connections(s->server) : 0);
	size_t waiting = atomic_load_explicit(&s->crossing.waiting, memory_order_relaxed);
	size_t of_siblings = s->mesh.waiting + s->mesh.unsent + (s->mesh.news.log ? newslog_size(s->mesh.news.log) : 0);
	return (int64_t)(r->queued + r->held + r->bridged + s->guest_held + of_siblings + waiting) + (int64_t)connections * cost_of(s);
}

static void on_look(void *context)
{
	struct shard *s = context;
	tell(s, sum_of(s));
	if (s->options->limit_memory)
		timer_set(&s->room.look, TELL_MS);
}

void room_reload(struct shard *s)
{
	on_look(s);
}

void room_open(struct shard *s)
{
	s->room = (struct room){0};
	timer_init(&s->room.look, s->loop, on_look, s);
	if (s->options->limit_memory)
		timer_set(&s->room.look, TELL_MS);
	list_init(&s->room.line);
}

void room_tell(struct shard *s)
{
	int64_t sum = sum_of(s), differs = sum - s->room.told;
	if (differs >= STEP || differs <= -STEP)
		tell(s, sum);
}

static int64_t held_by_all(const struct shard *s)
{
	return atomic_load_explicit(&s->relay->held, memory_order_relaxed);
}

static bool is_scarce_with(const struct shard *s, int64_t more)
{
	int64_t most = s->options->limit_memory;
	return most && held_by_all(s) + more > most - most / 8;
}

bool room_is_scarce(const struct shard *s)
{
	return is_scarce_with(s, 0);
}

static bool is_over(const struct shard *s)
{
	return s->options->limit_memory && held_by_all(s) > s->options->limit_memory;
}

static void complain(struct shard *s, const char *what)
{
	if (limit_take(&s->room.log, (struct rate){.per_second = 1, .burst = 1}, loop_now(s->loop)))
		log_warning(SUBJECT("relay"), what, F_UINT("shard", s->index), F_INT("held", held_by_all(s)), F_UINT("waiting_clients", s->room.line_count),
			    F_UINT("waiting_bytes", s->room.queued));
}

/* ---- the door ---- */

bool room_may_come(void *shard, enum door door)
{
	struct shard *s = shard;
	const struct relay_options *o = s->options;
	(void)door;
	room_tell(s);
	if (is_scarce_with(s, cost_of(s))) {
		relay_count_at(RELAY_REFUSED, RELAY_REFUSED_MEMORY, 1);
		complain(s, "limits.memory: new connections are closed");
		return false;
	}
	const struct rate accepts = {(uint64_t)o->limit_accepts, (uint64_t)o->limit_accept_burst};
	if (accepts.per_second && !limit_take(&s->room.accepts, accepts, loop_now(s->loop))) {
		relay_count_at(RELAY_REFUSED, RELAY_REFUSED_RATE, 1);
		complain(s, "limits.accepts: new connections are closed");
		return false;
	}
	return true;
}

/* ---- queues ---- */

static size_t waits_for(const struct client *c)
{
	return c->disco.bytes + c->other.bytes;
}

void room_add(struct client *c, size_t bytes)
{
	c->shard->room.queued += bytes;
}

void room_take(struct client *c, size_t bytes)
{
	c->shard->room.queued -= bytes;
}

void room_count(struct client *c)
{
	size_t held = pipe_unsent(c->pipe) + pipe_kept(c->pipe) + c->control.len + (c->incoming ? packet_frame_len(c->incoming) : 0);
	c->shard->room.held += held - c->held;
	c->held = held;
}

void room_wait(struct client *c)
{
	struct room *r = &c->shard->room;
	if (!list_empty(&c->in_line))
		return;
	list_append(&r->line, &c->in_line);
	r->line_count++;
}

void room_moved(struct client *c)
{
	if (list_empty(&c->in_line))
		return;
	list_remove(&c->in_line);
	list_append(&c->shard->room.line, &c->in_line);
}

void room_leave(struct client *c)
{
	if (list_empty(&c->in_line))
		return;
	list_remove(&c->in_line);
	c->shard->room.line_count--;
}

static void lose_oldest(struct client *c, struct queue *q, enum relay_drop reason)
{
	struct packet *p = queue_pop(q);
	room_take(c, packet_frame_len(p));
	relay_count_drop(reason, p->disco, 1, p->len);
	packet_free(&p);
}

static bool fits(const struct shard *s, size_t len)
{
	return s->room.queued + len <= (size_t)s->options->limit_queued;
}

/* Of the class of the packet while there is one. */
static void give_way(struct client *c, bool disco, size_t share, size_t len)
{
	struct queue *first = disco ? &c->disco : &c->other, *then = disco ? &c->other : &c->disco;
	while (waits_for(c) > share && !fits(c->shard, len))
		lose_oldest(c, first->count ? first : then, RELAY_DROP_QUEUE_HEAD);
}

/* Who holds most of those near the head of the line; when all are modest the next ones are looked at next time. */
static struct client *greedy(struct shard *s, size_t share)
{
	struct client *most = NULL;
	unsigned looks = 0;
	LIST_EACH(&s->room.line, c, struct client, in_line) {
		if (looks++ == LOOKS)
			break;
		if (waits_for(c) > share && (!most || waits_for(c) > waits_for(most)))
			most = c;
	}
	for (unsigned i = 0; !most && i + 1 < looks; i++)
		room_moved(LIST_HEAD(&s->room.line, struct client, in_line));
	return most;
}

static void empty(struct client *c)
{
	while (c->other.count)
		lose_oldest(c, &c->other, RELAY_DROP_MEMORY);
	while (c->disco.count)
		lose_oldest(c, &c->disco, RELAY_DROP_MEMORY);
	room_leave(c);
	complain(c->shard, "limits.memory: queues of slow clients are emptied");
}

/* False: nothing waits for anybody slow. */
static bool relieve_once(struct shard *s)
{
	struct client *c = LIST_FIRST(&s->room.line, struct client, in_line);
	size_t to_siblings = siblings_waiting(s);
	if (to_siblings && (!c || to_siblings > s->room.queued)) {
		siblings_give_way(s, STEP);
		complain(s, "limits.memory: packets to slow siblings are dropped");
	} else if (c) {
		empty(c);
	} else {
		return false;
	}
	return true;
}

static bool is_to_give_way(const struct shard *s)
{
	return is_over(s) && s->room.told > s->options->limit_memory / (int64_t)s->crew;
}

static void relieve(struct shard *s)
{
	tell(s, sum_of(s));
	while (is_to_give_way(s) && relieve_once(s))
		tell(s, sum_of(s));
}

static bool refuse(struct packet *p, enum relay_drop reason)
{
	relay_count_drop(reason, p->disco, 1, p->len);
	packet_free(&p);
	return false;
}

bool room_make(struct client *c, struct packet *p)
{
	struct shard *s = c->shard;
	size_t len = packet_frame_len(p), share = (size_t)s->options->limit_queued / (s->room.line_count + 1);
	struct client *other;
	if (is_over(s))
		relieve(s);
	if (pipe_busy(c->pipe) && is_to_give_way(s))
		return refuse(p, RELAY_DROP_MEMORY);
	if (fits(s, len))
		return true;
	give_way(c, p->disco, share, len);
	if (!fits(s, len) && (other = greedy(s, share)))
		give_way(other, other->disco.bytes > other->other.bytes, share, len);
	return fits(s, len) || refuse(p, RELAY_DROP_QUEUE_TAIL);
}

bool room_make_for_sibling(struct shard *s, bool slow, struct packet *p)
{
	room_tell(s);
	if (is_over(s))
		relieve(s);
	return !slow || !is_to_give_way(s) || refuse(p, RELAY_DROP_MEMORY);
}
