#include "linkwire.h"

#include <stdlib.h>

#include "noise.h"
#include "pipe.h"

enum {
	OUT_CAP = 16 << 20,
	SEAL_NOW = 256 << 10, /* gathered bytes that are sealed before the turn ends, so that they do not lie in memory twice */
	KEEP_ROOM = 64 << 10, /* an empty input buffer above this gives its memory back */
	IN_CAP = 128 << 10,   /* sealed bytes: what one read brings and one unfinished record */
	PLAIN_CAP = LINKFRAME_MAX + LINKFRAME_HEADER_LEN + NOISE_PLAIN_MAX,
	SLACK = SEAL_NOW + LINKFRAME_MAX /* what may lie above the cap when the cap is found to be passed */
};

enum wire_state {
	WIRE_DIALING,   /* connecting end: message sent, answer awaited */
	WIRE_ACCEPTING, /* accepting end: message awaited */
	WIRE_UNPROVEN,  /* accepting end: answered. A message may be a replay; the first record that opens proves the secret */
	WIRE_READY,
	WIRE_ENDED /* nothing is read or written any more */
};

struct linkwire {
	struct loop *loop;
	struct pipe *pipe;
	struct endpoint peer; /* a broken socket does not know it any more */
	struct bytes secret;
	const struct linkwire_events *events;
	void *context;
	enum wire_state state;
	struct noise_psk psk;
	struct noise noise;
	struct buffer in, out; /* plaintext */
	size_t out_cap;
	enum err doomed; /* the end that is told when the turn ends */
	struct mono heard;
	struct timer deadline;
	struct defer flushing, freeing;
};

static const struct pipe_events pipe_tells;

static void on_freed(void *context)
{
	struct linkwire *w = context;
	buffer_clear(&w->in);
	buffer_clear(&w->out);
	key_wipe(w, sizeof(*w));
	free(w);
}

static void end(struct linkwire *w, enum err why)
{
	if (w->state == WIRE_ENDED)
		return;
	w->state = WIRE_ENDED;
	timer_cancel(&w->deadline);
	w->events->on_end(w->context, why);
}

static void doom(struct linkwire *w, enum err why)
{
	if (w->doomed)
		return;
	w->doomed = why;
	loop_defer(w->loop, &w->flushing);
}

/* ---- out ---- */

static enum err seal(struct linkwire *w)
{
	if (!w->out.len)
		return ERR_NONE;
	struct buffer sealed;
	buffer_init(&sealed, w->out.len + w->out.len / 16 + NOISE_RECORD_MAX);
	enum err e = noise_seal(&w->noise.tx, buffer_bytes(&w->out), &sealed);
	if (!e)
		e = pipe_write(w->pipe, &sealed);
	buffer_clear(&sealed);
	if (w->out.room > KEEP_ROOM)
		buffer_clear(&w->out);
	else
		buffer_reset(&w->out);
	return e;
}

static bool may_seal(const struct linkwire *w)
{
	return w->state == WIRE_READY && !w->doomed;
}

static void on_flush(void *context)
{
	struct linkwire *w = context;
	if (may_seal(w)) {
		enum err e = seal(w);
		if (e && !w->doomed)
			w->doomed = e;
	}
	if (w->doomed)
		end(w, w->doomed);
}

static void gathered(struct linkwire *w)
{
	enum err e = ERR_NONE;
	if (linkwire_unsent(w) > w->out_cap)
		e = ERR_TOO_BIG;
	else if (w->out.len >= SEAL_NOW && may_seal(w))
		e = seal(w);
	if (e)
		doom(w, e);
	else
		loop_defer(w->loop, &w->flushing);
}

/* A wire that has ended or will end takes what comes and forgets it: its user hears of the end soon. */
static bool mute(const struct linkwire *w)
{
	return w->doomed || w->state == WIRE_ENDED;
}

enum err linkwire_try(struct linkwire *w, const struct linkframe *frame)
{
	if (mute(w))
		return ERR_NONE;
	enum err e = linkframe_encode(frame, &w->out);
	if (!e)
		gathered(w);
	return e;
}

enum err linkwire_try_full(struct linkwire *w, uint32_t stream, uint64_t version, const struct link_piece *pieces, size_t count)
{
	if (mute(w))
		return ERR_NONE;
	enum err e = linkframe_encode_full(stream, version, pieces, count, &w->out);
	if (!e)
		gathered(w);
	return e;
}

void linkwire_send(struct linkwire *w, const struct linkframe *frame)
{
	enum err e = linkwire_try(w, frame);
	if (e)
		doom(w, e);
}

/* ---- in ---- */

static void ready(struct linkwire *w)
{
	w->state = WIRE_READY;
	timer_cancel(&w->deadline);
	loop_defer(w->loop, &w->flushing);
	if (w->events->on_ready)
		w->events->on_ready(w->context);
}

static enum err read_answer(struct linkwire *w, struct buffer *in)
{
	if (in->len < NOISE_PSK_MESSAGE_LEN)
		return ERR_AGAIN;
	enum err e = noise_psk_finish(&w->psk, bytes_take(buffer_bytes(in), NOISE_PSK_MESSAGE_LEN), &w->noise);
	if (e)
		return e;
	buffer_consume(in, NOISE_PSK_MESSAGE_LEN);
	ready(w);
	return ERR_NONE;
}

static enum err read_message(struct linkwire *w, struct buffer *in)
{
	if (in->len < NOISE_PSK_MESSAGE_LEN)
		return ERR_AGAIN;
	uint8_t answer[NOISE_PSK_MESSAGE_LEN];
	enum err e = noise_psk_accept(w->secret, BYTES(LINK_PROLOGUE), bytes_take(buffer_bytes(in), NOISE_PSK_MESSAGE_LEN), answer, &w->noise);
	if (e)
		return e;
	buffer_consume(in, NOISE_PSK_MESSAGE_LEN);
	struct buffer out;
	buffer_init(&out, NOISE_PSK_MESSAGE_LEN);
	e = buffer_add(&out, bytes_of(answer, sizeof(answer)));
	if (!e)
		e = pipe_write(w->pipe, &out);
	w->state = WIRE_UNPROVEN;
	return e;
}

static enum err read_frames(struct linkwire *w)
{
	while (w->in.len && w->state == WIRE_READY) {
		struct linkframe frame;
		size_t used;
		enum err e = linkframe_decode(buffer_bytes(&w->in), &frame, &used);
		if (e)
			return e == ERR_AGAIN ? ERR_NONE : e;
		w->events->on_frame(w->context, &frame);
		buffer_consume(&w->in, used);
	}
	return ERR_NONE;
}

static enum err read_record(struct linkwire *w, struct buffer *in)
{
	size_t used;
	enum err e = noise_open(&w->noise.rx, buffer_bytes(in), &w->in, &used);
	if (e)
		return e;
	buffer_consume(in, used);
	if (w->state == WIRE_UNPROVEN)
		ready(w);
	return read_frames(w);
}

static enum err read_some(struct linkwire *w, struct buffer *in)
{
	switch (w->state) {
	case WIRE_DIALING:
		return read_answer(w, in);
	case WIRE_ACCEPTING:
		return read_message(w, in);
	case WIRE_UNPROVEN:
	case WIRE_READY:
		return read_record(w, in);
	case WIRE_ENDED:
		return ERR_AGAIN;
	}
	return ERR_BUG;
}

static void on_data(void *context, struct buffer *in)
{
	struct linkwire *w = context;
	enum err e = ERR_NONE;
	w->heard = clock_mono();
	while (!e && in->len && w->state != WIRE_ENDED)
		e = read_some(w, in);
	if (!w->in.len && w->in.room > KEEP_ROOM)
		buffer_clear(&w->in);
	if (e && e != ERR_AGAIN)
		end(w, e);
}

static void on_pipe_end(void *context, enum err why)
{
	end(context, why);
}

static void on_deadline(void *context)
{
	end(context, ERR_TIMEOUT);
}

static const struct pipe_events pipe_tells = {.on_data = on_data, .on_end = on_pipe_end};

/* ---- beginning and end ---- */

static struct linkwire *wire_new(struct loop *loop, struct bytes secret, const struct linkwire_events *events, void *context, enum wire_state state)
{
	struct linkwire *w = x_alloc(sizeof(*w));
	*w = (struct linkwire){.loop = loop, .secret = secret, .events = events, .context = context, .state = state, .heard = clock_mono()};
	buffer_init(&w->in, PLAIN_CAP);
	/* The cap that ends the wire is counted by gathered(); this one only has to be above it by one frame. */
	buffer_init(&w->out, SIZE_MAX / 4);
	timer_init(&w->deadline, loop, on_deadline, w);
	timer_set(&w->deadline, LINK_HANDSHAKE_MS);
	defer_init(&w->flushing, on_flush, w);
	defer_init(&w->freeing, on_freed, w);
	w->out_cap = OUT_CAP;
	return w;
}

/* Sealing adds less than a sixteenth. */
void linkwire_set_out_cap(struct linkwire *w, size_t cap)
{
	w->out_cap = cap;
	pipe_set_out_cap(w->pipe, cap + cap / 16 + SLACK);
}

struct linkwire *linkwire_connect(struct loop *loop, struct endpoint to, struct bytes secret, const struct linkwire_events *events, void *context)
{
	struct linkwire *w = wire_new(loop, secret, events, context, WIRE_DIALING);
	struct buffer out;
	buffer_init(&out, NOISE_PSK_MESSAGE_LEN);
	uint8_t message[NOISE_PSK_MESSAGE_LEN];
	noise_psk_start(&w->psk, secret, BYTES(LINK_PROLOGUE), message);
	w->pipe = pipe_connect(loop, to, LINK_HANDSHAKE_MS, IN_CAP, &pipe_tells, w);
	w->peer = to;
	linkwire_set_out_cap(w, OUT_CAP);
	if (buffer_add(&out, bytes_of(message, sizeof(message))) || pipe_write(w->pipe, &out))
		doom(w, ERR_BUG);
	return w;
}

struct linkwire *linkwire_accept(struct loop *loop, int fd, struct bytes secret, const struct linkwire_events *events, void *context)
{
	struct linkwire *w = wire_new(loop, secret, events, context, WIRE_ACCEPTING);
	w->pipe = pipe_open(loop, fd, IN_CAP, &pipe_tells, w);
	w->peer = pipe_peer(w->pipe);
	linkwire_set_out_cap(w, OUT_CAP);
	return w;
}

void linkwire_close(struct linkwire **at)
{
	struct linkwire *w = *at;
	*at = NULL;
	if (!w)
		return;
	if (may_seal(w) && seal(w) != ERR_NONE)
		w->doomed = ERR_TOO_BIG;
	w->state = WIRE_ENDED;
	timer_cancel(&w->deadline);
	defer_cancel(&w->flushing);
	pipe_close(&w->pipe);
	loop_defer(w->loop, &w->freeing);
}

size_t linkwire_unsent(const struct linkwire *w)
{
	return pipe_unsent(w->pipe) + w->out.len;
}

struct endpoint linkwire_peer(const struct linkwire *w)
{
	return w->peer;
}

struct mono linkwire_heard(const struct linkwire *w)
{
	return w->heard;
}
