#include "tunnel.h"

#include <stdlib.h>

#include "wsframe.h"

enum {
	PLAIN_MAX = 64 << 10, /* unwrapped and not yet eaten */
	FRAMED_MAX = 1 << 20  /* one write with its frames */
};

struct tunnel_frames {
	struct loop *loop;
	struct pipe *pipe; /* NULL: closed */
	const struct pipe_events *events;
	void *context;
	struct wsframe wire;
	struct buffer plain;
	struct defer ending;
	bool over; /* the end was told, or the goodbye said */
};

static void free_now(void *context)
{
	struct tunnel_frames *f = context;
	buffer_clear(&f->plain);
	free(f);
}

static void say(struct tunnel_frames *f, enum err e, struct buffer *out)
{
	/* Past the cap of the pipe the client reads nothing anyway. */
	if (e || pipe_write(f->pipe, out))
		buffer_clear(out);
}

static void say_goodbye(struct tunnel_frames *f, unsigned code)
{
	struct buffer out;
	buffer_init(&out, WSFRAME_OUT_MAX);
	if (!f->over)
		say(f, wsframe_write_close(code, &out), &out);
	f->over = true;
}

static void end(struct tunnel_frames *f, enum err why)
{
	if (f->over)
		return;
	say_goodbye(f, f->wire.close);
	pipe_read_pause(f->pipe);
	f->events->on_end(f->context, why);
}

/* Only the latest ping is answered, and only when earlier output has left: nobody makes us hold pongs. */
static void answer_ping(struct tunnel_frames *f)
{
	struct buffer out;
	if (!f->wire.pinged || f->over || pipe_busy(f->pipe))
		return;
	f->wire.pinged = false;
	buffer_init(&out, WSFRAME_OUT_MAX);
	say(f, wsframe_write_pong(&f->wire, &out), &out);
}

static void on_data(void *context, struct buffer *in)
{
	struct tunnel_frames *f = context;
	enum err e = ERR_EXHAUSTED;
	while (e == ERR_EXHAUSTED && f->pipe && !f->over) {
		size_t before = f->plain.len;
		e = wsframe_read(&f->wire, in, &f->plain);
		if (e == ERR_EXHAUSTED && f->plain.len == before)
			e = ERR_TOO_BIG;
		if (f->plain.len)
			f->events->on_data(f->context, &f->plain);
	}
	if (!f->plain.len)
		buffer_clear(&f->plain);
	if (!f->pipe)
		return;
	answer_ping(f);
	if (e)
		end(f, e);
}

static void on_written(void *context)
{
	struct tunnel_frames *f = context;
	answer_ping(f);
	f->events->on_written(f->context);
}

static void on_end(void *context, enum err why)
{
	struct tunnel_frames *f = context;
	if (f->over)
		return;
	f->over = true;
	f->events->on_end(f->context, why);
}

static const struct pipe_events EVENTS = {on_data, on_written, on_end};

static struct tunnel_frames *frames_new(struct loop *loop, struct pipe *pipe, const struct pipe_events *events, void *context)
{
	struct tunnel_frames *f = x_alloc(sizeof(*f));
	*f = (struct tunnel_frames){.loop = loop, .pipe = pipe, .events = events, .context = context};
	buffer_init(&f->plain, PLAIN_MAX);
	defer_init(&f->ending, free_now, f);
	return f;
}

void tunnel_open(struct tunnel *t, struct loop *loop, struct pipe *pipe, bool framed, const struct pipe_events *events, void *context)
{
	*t = (struct tunnel){.pipe = pipe, .frames = framed ? frames_new(loop, pipe, events, context) : NULL};
	pipe_set_events(pipe, framed ? &EVENTS : events, framed ? t->frames : context);
	pipe_kick(pipe);
}

void tunnel_close(struct tunnel *t)
{
	struct tunnel_frames *f = t->frames;
	if (f) {
		say_goodbye(f, WSFRAME_GOING);
		f->pipe = NULL;
		loop_defer(f->loop, &f->ending);
	}
	t->frames = NULL;
	pipe_close(&t->pipe);
}

enum err tunnel_write(struct tunnel *t, struct buffer *out)
{
	struct buffer framed;
	if (!t->frames)
		return pipe_write(t->pipe, out);
	if (t->frames->over)
		return ERR_CLOSED;
	buffer_init(&framed, FRAMED_MAX);
	enum err e = wsframe_write(buffer_bytes(out), &framed);
	if (!e)
		e = pipe_write(t->pipe, &framed);
	buffer_clear(&framed);
	if (!e)
		buffer_clear(out);
	return e;
}

bool tunnel_busy(const struct tunnel *t)
{
	return pipe_busy(t->pipe);
}

size_t tunnel_held(const struct tunnel *t)
{
	return pipe_kept(t->pipe) + pipe_unsent(t->pipe) + (t->frames ? t->frames->plain.len : 0);
}

void tunnel_pause(struct tunnel *t)
{
	pipe_read_pause(t->pipe);
}
