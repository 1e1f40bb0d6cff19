#include "handshake.h"

#include <stdlib.h>

#include "log.h"
#include "metrics_relay.h"
#include "shard.h"
#include "text.h"
#include "websocket.h"
#include "wsbridge.h"

enum {
	HANDSHAKE_MS = 10000,
	UNACKED_MS = 15000,                   /* then a client is gone, all its life long */
	IDLE_PROBE_MS = 600000,               /* rarely: every probe wakes a phone */
	IN_CAP = DERPFRAME_INFO_MAX + 131072, /* the largest ClientInfo, and what a hasty client sends behind it */
	MODEST = 4096,                        /* no client in life says more about itself */
	HELD_MAX = 64 << 20,                  /* of all guests of a shard; beyond it only modest ones are heard out */
};

struct guest {
	struct shard *shard;
	struct pipe *pipe;
	struct client_way way; /* the peer is the one behind proxies that are trusted */
	struct list link;
	struct timer deadline;
	struct defer ending;
	size_t held; /* bytes it has sent that wait for more */
	bool waits;  /* for its pipe, which comes even when it has ended */
	bool ended;
	bool silent; /* fast start: it was told nothing yet */
};

/* A proven client on its way to its shard. */
struct passage {
	struct shard *to;
	struct pipe_parcel *parcel;
	struct client_way way;
	struct derpframe_client_info info;
};

static void free_guest(void *context)
{
	free(context);
}

/* Everything but the pipe, which may have gone on. */
static void retire(struct guest *g)
{
	if (g->ended)
		return;
	g->ended = true;
	g->shard->guest_count--;
	g->shard->guest_held -= g->held;
	list_remove(&g->link);
	timer_cancel(&g->deadline);
	pipe_close(&g->pipe);
	if (!g->waits)
		loop_defer(g->shard->loop, &g->ending);
}

static void fail(struct guest *g, enum relay_fail why)
{
	char source[IP_TEXT_MAX];
	if (g->ended)
		return;
	relay_count_at(RELAY_HANDSHAKE_FAILURES, why, 1);
	ip_format(source, g->way.peer.ip);
	log_debug(SUBJECT("guest"), "handshake failed", F_TEXT("source", source), F_TEXT("reason", relay_fail_text(why)));
	retire(g);
}

static void on_arrived(void *context)
{
	struct passage *p = context;
	static const struct pipe_events none;
	struct pipe *pipe = pipe_import(p->to->loop, &p->parcel, &none, NULL);
	if (relaylife_is_leaving(p->to)) {
		relay_count_at(RELAY_HANDSHAKE_FAILURES, RELAY_FAIL_DRAIN, 1);
		pipe_close(&pipe);
	} else {
		client_admit(p->to, pipe, &p->way, &p->info);
	}
	key_wipe(p->info.mesh_key, sizeof p->info.mesh_key);
	free(p);
}

static void hand_over(struct guest *g, const struct derpframe_client_info *info)
{
	struct shard *s = g->shard;
	unsigned home = relay_home(s->relay, &info->key);
	pipe_read_pause(g->pipe);
	if (home == s->index) {
		struct pipe *pipe = g->pipe;
		g->pipe = NULL;
		client_admit(s, pipe, &g->way, info);
	} else {
		struct passage *p = x_alloc(sizeof(*p));
		*p = (struct passage){.to = s->relay->shard[home], .parcel = pipe_export(&g->pipe), .way = g->way, .info = *info};
		loop_post(p->to->loop, on_arrived, p);
	}
	retire(g);
}

/* False when it must go: strangers may not fill the memory. */
static bool hold(struct guest *g, size_t len)
{
	struct shard *s = g->shard;
	s->guest_held += len - g->held;
	g->held = len;
	return len <= MODEST || s->guest_held <= HELD_MAX;
}

static void on_data(void *context, struct buffer *in)
{
	struct guest *g = context;
	struct derpframe_header h;
	if (g->ended || derpframe_decode(buffer_bytes(in), &h))
		return;
	if (h.type != DERPFRAME_CLIENT_INFO || h.len < DERPFRAME_INFO_LEAST || h.len > DERPFRAME_INFO_MAX) {
		fail(g, RELAY_FAIL_FRAME);
		return;
	}
	/* Our own first words must be out before the connection may move; they are, unless the client does not read them. */
	if (in->len < DERPFRAME_HEADER_LEN + h.len || pipe_busy(g->pipe)) {
		if (!hold(g, in->len))
			fail(g, RELAY_FAIL_LIMIT_MEMORY);
		return;
	}
	struct derpframe_client_info info;
	struct bytes payload = bytes_of(in->at + DERPFRAME_HEADER_LEN, h.len);
	enum err e = derpframe_decode_client_info(payload, &g->shard->relay->key, &info);
	if (e) {
		fail(g, e == ERR_CRYPTO ? RELAY_FAIL_BOX : RELAY_FAIL_FRAME);
		return;
	}
	/* From now on: a sibling, proven. A wrong key is no fault: a client like others. */
	info.has_mesh_key = info.has_mesh_key && told_is_mesh_key(g->shard->life.told, info.mesh_key);
	buffer_consume(in, DERPFRAME_HEADER_LEN + h.len);
	hand_over(g, &info);
	key_wipe(info.mesh_key, sizeof info.mesh_key);
}

static void on_written(void *context)
{
	struct guest *g = context;
	if (!g->ended)
		pipe_kick(g->pipe);
}

static void on_end(void *context, enum err why)
{
	fail(context, why == ERR_CLOSED ? RELAY_FAIL_CLOSED : why == ERR_TOO_BIG ? RELAY_FAIL_FRAME : RELAY_FAIL_BROKEN);
}

static const struct pipe_events events = {.on_data = on_data, .on_written = on_written, .on_end = on_end};

static void on_deadline(void *context)
{
	fail(context, RELAY_FAIL_TIMEOUT);
}

/* What the head of an answer carries with it otherwise. */
static void say_key(struct guest *g)
{
	struct buffer first;
	uint8_t frame[DERPFRAME_SERVER_KEY_LEN];
	buffer_init(&first, sizeof frame);
	derpframe_encode_server_key(frame, &g->shard->relay->public_key);
	if (buffer_add(&first, bytes_of(frame, sizeof frame)) || pipe_write(g->pipe, &first))
		abort();
}

static void on_pipe(void *context, struct pipe *pipe)
{
	struct guest *g = context;
	g->waits = false;
	if (g->ended)
		loop_defer(g->shard->loop, &g->ending);
	if (!pipe || g->ended || relaylife_is_leaving(g->shard)) {
		fail(g, pipe ? RELAY_FAIL_DRAIN : RELAY_FAIL_CLOSED);
		pipe_close(&pipe);
		return;
	}
	relay_count(RELAY_ACCEPTS, 1);
	pipe_set_dead_after(pipe, UNACKED_MS, IDLE_PROBE_MS);
	if (g->way.bridged) {
		relay_count(RELAY_WEBSOCKETS, 1);
		pipe = wsbridge_open(g->shard, pipe, IN_CAP);
	}
	if (!pipe) {
		fail(g, RELAY_FAIL_BROKEN);
		return;
	}
	g->pipe = pipe;
	if (g->silent)
		say_key(g);
	pipe_set_events(pipe, &events, g);
	pipe_kick(pipe);
}

static struct guest *guest_new(struct shard *s, struct endpoint peer)
{
	struct guest *g = x_alloc(sizeof(*g));
	*g = (struct guest){.shard = s, .way.peer = peer, .waits = true};
	timer_init(&g->deadline, s->loop, on_deadline, g);
	defer_init(&g->ending, free_guest, g);
	list_append(&s->guests, &g->link);
	s->guest_count++;
	return g;
}

/* Very old clients ask for WebSocket, yet speak DERP; those that mean it name the sub-protocol. */
static bool wants_derp(struct exchange *x, bool *framed)
{
	struct bytes wanted = upgrade_wanted(x);
	*framed = bytes_equal_text(wanted, "websocket") && exchange_header(x, "sec-websocket-protocol").len;
	return bytes_equal_text(wanted, "derp") || bytes_equal_text(wanted, "websocket");
}

static void take_over(struct exchange *x, struct guest *g)
{
	char key[2 * KEY_LEN + 1];
	uint8_t first[DERPFRAME_SERVER_KEY_LEN];
	if (g->silent) {
		upgrade_take_silently(x, IN_CAP, on_pipe, g);
		return;
	}
	derpframe_encode_server_key(first, &g->shard->relay->public_key);
	if (g->way.bridged) {
		websocket_take(x, "derp", bytes_of(first, sizeof first), false, IN_CAP, on_pipe, g);
		return;
	}
	hex_encode(key, bytes_of(g->shard->relay->public_key.raw, KEY_LEN));
	exchange_add_header(x, "Derp-Version", BYTES("2"));
	exchange_add_header(x, "Derp-Public-Key", bytes_text(key));
	upgrade_take(x, "DERP", bytes_of(first, sizeof first), IN_CAP, on_pipe, g);
}

static enum relay_fail has_no_room(const struct shard *s)
{
	return relaylife_is_leaving(s)                                  ? RELAY_FAIL_DRAIN
	       : room_is_scarce(s)                                      ? RELAY_FAIL_LIMIT_MEMORY
	       : !shard_complete(s)                                     ? RELAY_FAIL_STARTING
	       : s->guest_count >= (size_t)s->options->limit_handshakes ? RELAY_FAIL_LIMIT_HANDSHAKES
									: RELAY_FAIL_NONE;
}

void handshake_begin(struct exchange *x)
{
	struct shard *s = x->program;
	bool framed;
	if (!wants_derp(x, &framed)) {
		relay_count_at(RELAY_HANDSHAKE_FAILURES, RELAY_FAIL_NO_UPGRADE, 1);
		exchange_reply_text(x, 426, "DERP requires connection upgrade\n");
		return;
	}
	if (framed && !websocket_asked(x, "derp")) {
		relay_count_at(RELAY_HANDSHAKE_FAILURES, RELAY_FAIL_NOT_WEBSOCKET, 1);
		return;
	}
	enum relay_fail full = has_no_room(s);
	if (full != RELAY_FAIL_NONE) {
		relay_count_at(RELAY_HANDSHAKE_FAILURES, full, 1);
		exchange_reply_text(x, 503, "no room\n");
		return;
	}
	struct guest *g = guest_new(s, x->peer);
	g->way.bridged = framed;
	g->way.not_ideal = !framed && exchange_header(x, "ideal-node").len;
	g->silent = !framed && bytes_equal_text(exchange_header(x, "derp-fast-start"), "1");
	timer_set(&g->deadline, HANDSHAKE_MS);
	take_over(x, g);
}

void handshake_end_all(struct shard *s)
{
	LIST_EACH(&s->guests, g, struct guest, link) {
		if (g->pipe)
			fail(g, RELAY_FAIL_DRAIN);
	}
}
