#include "clientparts.h"

#include <stdlib.h>

#include "log.h"
#include "metrics_relay.h"
#include "routing.h"

enum {
	KEEP_ALIVE_MS = 60000,
	KEEP_ALIVE_JITTER_MS = 5000, /* clients give up after 120 s without a frame */
	DUPLICATES_MAX = 32,         /* connections of one key; beyond it the one that was silent longest ends */
	RECONNECT_MS = 100,          /* told to clients of a relay that goes */
	CONTROL_CAP = (HEARD_MAX + 64) * DERPFRAME_PEER_GONE_LEN,
};

static void move(struct client *c, enum client_state to)
{
	if (c->state == CLIENT_LIVE)
		clientwalk_leave(c);
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

static void on_end(void *context, enum err why)
{
	client_end(context, why == ERR_CLOSED    ? RELAY_END_CLOSED
			    : why == ERR_TIMEOUT ? RELAY_END_SILENT
			    : why == ERR_TOO_BIG ? RELAY_END_BAD_FRAME
						 : RELAY_END_BROKEN);
}

static const struct pipe_events events = {.on_data = client_on_data, .on_written = client_on_written, .on_end = on_end};

void client_log_refused(struct client *c, const char *reason)
{
	char key[KEY_SHORT_MAX], source[IP_TEXT_MAX];
	/* A refused client dials anew many times a second. */
	if (!limit_take(&c->shard->refusal_log, (struct rate){.per_second = 5, .burst = 20}, loop_now(c->shard->loop)))
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
	client_take_standing(c);
	if (client_encode_info(c, &info)) {
		client_end(c, RELAY_END_INTERNAL);
		return;
	}
	move(c, CLIENT_LIVE);
	c->begun = loop_now(s->loop);
	unsigned members = directory_add(s->directory, &c->key, &c->member);
	relay_count(RELAY_DUP_TOTAL, members > 1);
	struct member *stale = members > DUPLICATES_MAX ? directory_stalest(&c->member) : NULL;
	if (stale)
		client_end(OWNER_OF(stale, struct client, member), RELAY_END_DUPLICATES);
	count_keys(s);
	relay_count(RELAY_CONNECTIONS, 1);
	relay_count(RELAY_NOT_IDEAL, c->not_ideal);
	c->tls = relay_tls_version(pipe_tls_version(c->pipe));
	if (c->tls != RELAY_TLS_NONE)
		relay_count_at(RELAY_TLS_ACTIVE, c->tls, 1);
	c->given += info.len;
	if (pipe_write(c->pipe, &info))
		abort();
	c->keep_alive_ms = KEEP_ALIVE_MS + (int64_t)(random_number() % KEEP_ALIVE_JITTER_MS);
	timer_set(&c->keep_alive, c->keep_alive_ms);
	client_watch_for_stall(c);
	char key[KEY_SHORT_MAX];
	log_debug(SUBJECT("client"), "connected", F_UINT("number", c->number), F_TEXT("key", key_short(key, c->key.raw)));
	meshnews_present(s, &c->key, c->peer, client_presence_flags(c));
	pipe_read_resume(c->pipe);
}

static void on_verdict(void *context, bool allowed)
{
	struct client *c = context;
	if (allowed && c->state == CLIENT_LIVE) {
		/* Who is admitted since nobody could answer stays where it belongs. */
		if (c->wait.sure)
			client_take_standing(c);
		else
			recheck_later(c);
		return;
	}
	if (allowed) {
		enter(c);
		return;
	}
	bool was_live = c->state == CLIENT_LIVE;
	client_log_refused(c, was_live ? "not admitted any more" : "not admitted by a coordinator");
	client_end(c, was_live ? RELAY_END_REVOKED : RELAY_END_NOT_ADMITTED);
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
	list_init(&c->in_line);
	list_init(&c->member.link);
	hearer_init(&c->hearer, c->number);
	verify_wait_init(&c->wait, on_verdict, c);
	queue_init(&c->disco);
	queue_init(&c->other);
	buffer_init(&c->control, CONTROL_CAP);
	timer_init(&c->keep_alive, s->loop, client_on_keep_alive, c);
	timer_init(&c->stall, s->loop, client_on_stall_tick, c);
	timer_init(&c->thirst, s->loop, client_on_thirst_over, c);
	defer_init(&c->flushing, client_on_turn_end, c);
	defer_init(&c->ending, end, c);
	table_put_number(s->clients, c->number, c);
	move(c, CLIENT_ASKING);
	return c;
}

void client_admit(struct shard *s, struct pipe *pipe, const struct client_way *way, const struct derpframe_client_info *info)
{
	struct client *c = client_new(s, pipe, way->peer, &info->key);
	c->not_ideal = way->not_ideal;
	c->bridged = way->bridged;
	c->prober = info->is_prober;
	pipe_set_events(pipe, &events, c);
	if (table_count(s->clients) > (size_t)s->options->limit_connections) {
		client_log_refused(c, "limits.connections");
		client_end(c, RELAY_END_LIMIT_CONNECTIONS);
		return;
	}
	if (info->has_mesh_key) {
		client_begin_sibling(c, info->mesh_key);
		enter(c);
		return;
	}
	if (probekeys_has(&s->relay->probes, &c->key)) {
		enter(c);
		return;
	}
	switch (verify_ask(s->verify, &c->key, c->peer.ip, &c->wait)) {
	case VERDICT_ALLOWED:
		enter(c);
		return;
	case VERDICT_REFUSED:
		client_log_refused(c, "not admitted, as remembered");
		client_end(c, RELAY_END_NOT_ADMITTED);
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
	if (c->tls != RELAY_TLS_NONE)
		relay_count_at(RELAY_TLS_ACTIVE, c->tls, -1);
	if (c->preferred) {
		relay_count(RELAY_HOME_CONNECTIONS, -1);
		atomic_fetch_sub_explicit(&s->relay->homes, 1, memory_order_relaxed);
	}
	if (c->watching) {
		relay_count(RELAY_WATCHERS, -1);
		meshnews_unwatch(s, c->number);
	}
	if (!left || s->closing)
		return;
	meshnews_gone(s, &c->key);
	if (!mesh_reaches(s, &c->key))
		routing_tell_left(s, &c->key);
}

static void drop_waiting(struct queue *q, bool disco)
{
	size_t heads = (size_t)q->count * DERPFRAME_RECV_HEADER_LEN;
	relay_count_drop(RELAY_DROP_GONE, disco, q->count, (int64_t)(q->bytes - heads));
	queue_clear(q);
}

void client_end(struct client *c, enum relay_end why)
{
	struct shard *s = c->shard;
	if (c->state == CLIENT_ENDED)
		return;
	log_debug(SUBJECT("client"), "ended", F_UINT("number", c->number), F_TEXT("reason", relay_end_text(why)));
	bool live = c->state == CLIENT_LIVE;
	relay_count_at(RELAY_DISCONNECTS, why, 1);
	client_count_lost(c);
	move(c, CLIENT_ENDED);
	if (live)
		leave(c);
	verify_cancel(&c->wait);
	purse_leave(&c->share, loop_now(s->loop));
	timer_cancel(&c->keep_alive);
	timer_cancel(&c->stall);
	timer_cancel(&c->thirst);
	defer_cancel(&c->flushing);
	client_end_sibling(c);
	table_remove_number(s->clients, c->number);
	room_leave(c);
	room_take(c, c->disco.bytes + c->other.bytes);
	s->room.held -= c->held;
	drop_waiting(&c->disco, true);
	drop_waiting(&c->other, false);
	packet_free(&c->incoming);
	buffer_clear(&c->control);
	pipe_close(&c->pipe);
	room_tell(s);
	loop_defer(s->loop, &c->ending);
}

void client_part_all(struct shard *s, int64_t spread_ms)
{
	LIST_EACH(&s->in_state[CLIENT_ASKING], c, struct client, in_state)
		client_end(c, RELAY_END_DRAIN);
	LIST_EACH(&s->in_state[CLIENT_LIVE], c, struct client, in_state) {
		uint8_t frame[DERPFRAME_RESTARTING_LEN];
		derpframe_encode_restarting(frame, RECONNECT_MS, (uint32_t)spread_ms);
		client_add_control(c, frame, sizeof frame);
		c->parting = true;
		timer_set(&c->keep_alive, 1 + (int64_t)(random_number() % (uint64_t)spread_ms));
	}
}

void client_end_all(struct shard *s)
{
	for (unsigned state = CLIENT_ASKING; state < CLIENT_ENDED; state++) {
		LIST_EACH(&s->in_state[state], c, struct client, in_state)
			client_end(c, s->closing ? RELAY_END_SHUTDOWN : RELAY_END_DRAIN);
	}
}
