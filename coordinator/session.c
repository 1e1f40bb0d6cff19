#include "session.h"

#include <assert.h>
#include <stdlib.h>

#include "capver.h"
#include "doorstep.h"
#include "early.h"
#include "log.h"
#include "routes.h"
#include "text.h"
#include "websocket.h"

enum {
	PIPE_IN_MAX = 64 << 10, /* a few records; a client that sends more before we read waits in its kernel */
	PLAIN_MAX = 64 << 10,
	EARLY_MAX = 1024,
	HANDSHAKE_TEXT_MAX = 1024,
	INITIATION_MAX = 1024,
	FIRST_MAX = 4096,       /* the Noise answer with the early payload, or an error frame */
	TAKE_AT_ONCE = 64 << 10 /* sealed and written per turn: bounds memory of a slow reader */
};

#define PROTOCOL "tailscale-control-protocol"

static const bool may_follow[SESSION_STATES][SESSION_STATES] = {
	[SESSION_OPEN] = {[SESSION_DRAINING] = true, [SESSION_ENDED] = true},
	[SESSION_DRAINING] = {[SESSION_ENDED] = true},
};

static void session_move(struct session *s, enum session_state to)
{
	assert(may_follow[s->state][to]);
	list_remove(&s->in_state);
	list_append(&s->worker->sessions[to], &s->in_state);
	s->state = to;
}

static void on_bury(void *context)
{
	struct session *s = context;
	struct coordinator *worker = s->worker;

	list_remove(&s->in_state);
	h2pipe_free(&s->h2);
	tunnel_close(&s->tunnel);
	buffer_clear(&s->plain);
	noise_wipe(&s->noise);
	free(s->host);
	free(s);
	worker->session_count--;
	metric_add(metric_sessions, -1);
	coordinator_check_drained(worker);
}

void session_end(struct session *s, enum err why)
{
	if (s->state == SESSION_ENDED)
		return;
	log_debug(SESSION(s), "session ended", F_ERR(why));
	session_move(s, SESSION_ENDED);
	timer_cancel(&s->idle);
	defer_cancel(&s->flush);
	tunnel_pause(&s->tunnel);
	loop_defer(s->worker->loop, &s->bury);
}

void session_drain(struct session *s)
{
	if (s->state != SESSION_OPEN)
		return;
	session_move(s, SESSION_DRAINING);
	h2pipe_drain(s->h2);
	loop_defer(s->worker->loop, &s->flush);
}

/* The reader pulls: nothing is sealed while earlier output has not left. */
static void on_flush(void *context)
{
	struct session *s = context;
	struct buffer plain, sealed;
	enum err e;

	if (s->state == SESSION_ENDED || tunnel_busy(&s->tunnel))
		return;
	buffer_init(&plain, 2 * TAKE_AT_ONCE);
	buffer_init(&sealed, 3 * TAKE_AT_ONCE);
	e = h2pipe_take(s->h2, TAKE_AT_ONCE, &plain);
	if (!e && plain.len)
		e = noise_seal(&s->noise.tx, buffer_bytes(&plain), &sealed);
	if (!e && sealed.len)
		e = tunnel_write(&s->tunnel, &sealed);
	buffer_clear(&plain);
	buffer_clear(&sealed);
	if (e)
		session_end(s, e);
	else if (!tunnel_busy(&s->tunnel) && h2pipe_over(s->h2))
		session_end(s, ERR_CLOSED);
	else if (s->state == SESSION_DRAINING && h2pipe_idle(s->h2) && !tunnel_busy(&s->tunnel))
		session_end(s, ERR_NONE);
}

/* Comes at the end of a turn, when all that the turn has to say was said. */
static void on_output(void *context)
{
	on_flush(context);
}

static enum err session_feed(struct session *s, struct buffer *in)
{
	enum err e = ERR_NONE;
	size_t used;

	while (!e && in->len) {
		e = noise_open(&s->noise.rx, buffer_bytes(in), &s->plain, &used);
		if (e == ERR_AGAIN)
			return ERR_NONE;
		if (e)
			return e;
		buffer_consume(in, used);
		e = h2pipe_feed(s->h2, buffer_bytes(&s->plain));
		buffer_reset(&s->plain);
	}
	return e;
}

/* A breach of HTTP/2 is answered (GOAWAY tells which) before the connection goes; a breach of Noise is not. */
static void session_fail(struct session *s, enum err e)
{
	log_info(SESSION(s), "session broken by its client", F_ERR(e));
	if (e != ERR_CRYPTO)
		on_flush(s);
	session_end(s, e);
}

static void on_data(void *context, struct buffer *in)
{
	struct session *s = context;
	enum err e;

	if (s->state == SESSION_ENDED)
		return;
	e = session_feed(s, in);
	if (in->len == 0)
		buffer_clear(&s->plain);
	timer_set(&s->idle, s->worker->options->session_idle_ms);
	if (e == ERR_CLOSED)
		session_end(s, e);
	else if (e)
		session_fail(s, e);
}

static void on_written(void *context)
{
	on_flush(context);
}

static void on_end(void *context, enum err why)
{
	session_end(context, why);
}

/* A connection without any open stream for so long serves nobody: the client opens another when it needs one. */
static void on_idle(void *context)
{
	struct session *s = context;

	if (h2pipe_streams(s->h2))
		timer_set(&s->idle, s->worker->options->session_idle_ms);
	else
		session_drain(s);
}

static const struct pipe_events session_events = {on_data, on_written, on_end};

/* What lies between the request and the pipe; in the arena of nobody: freed when the pipe came. */
struct opening {
	struct coordinator *worker;
	struct noise noise;
	struct endpoint peer;
	char *host;
	bool secure, framed;
	bool refused; /* an error frame is what we sent: nothing follows it */
};

static void session_open(struct opening *o, struct pipe *pipe)
{
	struct coordinator *c = o->worker;
	struct session *s = x_zalloc(sizeof *s);
	char peer[ENDPOINT_TEXT_MAX];

	s->worker = c;
	s->id = random_number() >> 1;
	s->noise = o->noise;
	s->host = o->host;
	o->host = NULL;
	s->state = SESSION_OPEN;
	list_append(&c->sessions[SESSION_OPEN], &s->in_state);
	c->session_count++;
	metric_add(metric_sessions, 1);
	buffer_init(&s->plain, PLAIN_MAX);
	timer_init(&s->idle, c->loop, on_idle, s);
	defer_init(&s->flush, on_flush, s);
	defer_init(&s->bury, on_bury, s);
	s->h2 = h2pipe_new(&(struct h2pipe_config){
		.loop = c->loop,
		.table = coordinator_routes,
		.door = DOOR_NOISE,
		.program = c,
		.owner = s,
		.peer = o->peer,
		.host = bytes_text(s->host),
		.secure = o->secure,
		.machine = &s->noise.peer,
		.capver = s->noise.version,
		.on_output = on_output,
		.context = s,
	});
	tunnel_open(&s->tunnel, c->loop, pipe, o->framed, &session_events, s);
	timer_set(&s->idle, c->options->session_idle_ms);
	loop_defer(c->loop, &s->flush);
	endpoint_format(peer, o->peer);
	log_debug(SESSION(s), "session opened", F_TEXT("peer", peer), F_TEXT("host", s->host), F_TEXT("scheme", o->secure ? "https" : "http"),
		  F_UINT("capver", s->noise.version));
	if (c->draining)
		session_drain(s);
}

static void on_refusal_written(void *context)
{
	struct pipe *pipe = *(struct pipe **)context;

	free(context);
	pipe_close(&pipe);
}

static void on_refusal_data(void *context, struct buffer *in)
{
	(void)context;
	buffer_consume(in, in->len);
}

static void on_refusal_end(void *context, enum err why)
{
	(void)why;
	on_refusal_written(context);
}

static const struct pipe_events refusal_events = {on_refusal_data, on_refusal_written, on_refusal_end};

/* The error frame went out right behind the head: stay until the kernel has it, then go. */
static void session_refuse(struct pipe *pipe)
{
	struct pipe **kept;

	if (!pipe_busy(pipe)) {
		pipe_close(&pipe);
		return;
	}
	kept = x_alloc(sizeof *kept);
	*kept = pipe;
	pipe_set_events(pipe, &refusal_events, kept);
}

static void on_pipe(void *context, struct pipe *pipe)
{
	struct opening *o = context;

	if (pipe && o->refused)
		session_refuse(pipe);
	else if (pipe)
		session_open(o, pipe);
	noise_wipe(&o->noise);
	free(o->host);
	free(o);
}

/* The response and, in its first record, the early payload. Its challenge is a fresh point that nobody holds the key of: no client answers it. */
static enum err opening_welcome(struct opening *o, const uint8_t response[static NOISE_RESPONSE_LEN], struct buffer *first)
{
	struct public_key challenge;
	struct buffer early;
	enum err e;

	random_fill(challenge.raw, sizeof challenge.raw);
	buffer_init(&early, EARLY_MAX);
	e = early_encode(&challenge, &early);
	if (!e)
		e = buffer_add(first, bytes_of(response, NOISE_RESPONSE_LEN));
	if (!e)
		e = noise_seal(&o->noise.tx, buffer_bytes(&early), first);
	buffer_clear(&early);
	return e;
}

/* Checks the initiation and makes what follows the 101: the answer, or an error frame with the sentence a client logs. */
static void opening_accept(struct opening *o, struct bytes initiation, struct buffer *first)
{
	uint8_t response[NOISE_RESPONSE_LEN];
	const char *refusal = NULL;
	uint16_t version = 0;
	char peer[ENDPOINT_TEXT_MAX];
	enum err e = noise_peek_version(initiation, &version);

	if (e)
		refusal = "malformed handshake";
	else if (!capver_accepted(version))
		refusal = capver_refusal();
	else
		e = noise_accept(o->worker->noise_key, initiation, response, &o->noise);
	if (!e && !refusal && !opening_welcome(o, response, first)) {
		metric_add_at(metric_handshakes, 0, 1);
		return;
	}
	o->refused = true;
	metric_add_at(metric_handshakes, 1, 1);
	endpoint_format(peer, o->peer);
	log_info(SUBJECT("session"), "handshake refused", F_ERR(e), F_TEXT("reason", refusal ? refusal : "not for our key"), F_UINT("capver", version),
		 F_TEXT("peer", peer));
	if (e != ERR_CRYPTO && noise_error_frame(refusal ? refusal : "malformed handshake", first))
		buffer_reset(first);
}

/* Decodes the handshake and checks that there is room; NULL when it was answered. */
static struct opening *opening_begin(struct exchange *x, struct bytes handshake, const char *complaint, struct buffer *initiation)
{
	struct coordinator *c = x->program;
	struct opening *o;

	if (!doorstep_handshake(x))
		return NULL;
	if (!handshake.len || handshake.len > HANDSHAKE_TEXT_MAX || base64_decode(handshake, initiation)) {
		exchange_reply_text(x, 400, complaint);
		return NULL;
	}
	if (c->draining || c->session_count >= (size_t)c->options->connections_most) {
		exchange_add_header(x, "Retry-After", BYTES("5"));
		exchange_reply_text(x, 503, "busy, try again\n");
		return NULL;
	}
	o = x_zalloc(sizeof *o);
	o->worker = c;
	o->peer = x->peer;
	o->host = x_strdup(arena_text(x->arena, x->host));
	o->secure = x->secure;
	return o;
}

void serve_upgrade(struct exchange *x)
{
	struct buffer initiation, first;
	struct opening *o;

	if (!bytes_equal_text(upgrade_wanted(x), PROTOCOL)) {
		exchange_reply_text(x, 400, "this path wants Upgrade: " PROTOCOL "\n");
		return;
	}
	buffer_init(&initiation, INITIATION_MAX);
	buffer_init(&first, FIRST_MAX);
	o = opening_begin(x, exchange_header(x, "x-tailscale-handshake"), "X-Tailscale-Handshake is missing or not base64\n", &initiation);
	if (o) {
		opening_accept(o, buffer_bytes(&initiation), &first);
		upgrade_take(x, PROTOCOL, buffer_bytes(&first), PIPE_IN_MAX, on_pipe, o);
	}
	buffer_clear(&first);
	buffer_clear(&initiation);
}

/* Browsers can set no header: the handshake stands in the query. */
void serve_websocket(struct exchange *x)
{
	struct buffer initiation, first;
	struct opening *o;

	if (!websocket_asked(x, PROTOCOL))
		return;
	buffer_init(&initiation, INITIATION_MAX);
	buffer_init(&first, FIRST_MAX);
	o = opening_begin(x, exchange_query(x, "X-Tailscale-Handshake"), "the query X-Tailscale-Handshake is missing or not base64\n", &initiation);
	if (o) {
		o->framed = true;
		opening_accept(o, buffer_bytes(&initiation), &first);
		websocket_take(x, PROTOCOL, buffer_bytes(&first), o->refused, PIPE_IN_MAX, on_pipe, o);
	}
	buffer_clear(&first);
	buffer_clear(&initiation);
}
