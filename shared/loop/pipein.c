#include "pipeparts.h"

#include <errno.h>
#include <stdlib.h>

enum {
	READ_CHUNK = 64 * 1024,               /* bytes taken from a socket at once */
	READS_PER_TURN = 4,                   /* so that no peer holds the loop */
	ANSWERS_MOST = 2 * TLSIO_SEALED_MOST, /* so much waits at most of what TLS says by itself, and behind one write */
	APART = 4096,                         /* unconsumed input past this is added to; less is moved before what comes */
};

static void on_readable(h2o_socket_t *sock, const char *err);

void pipe_update_reading(struct pipe *p)
{
	bool want = p->sock && !p->connecting && !p->paused && !p->ended && !p->closed && p->events;
	if (want == p->reading)
		return;
	p->reading = want;
	if (want)
		h2o_socket_read_start(p->sock, on_readable);
	else if (p->sock)
		h2o_socket_read_stop(p->sock);
}

void pipe_tell_end(struct pipe *p, enum err why)
{
	if (p->ended || p->closed)
		return;
	p->ended = true;
	pipe_update_reading(p);
	if (p->events && p->events->on_end)
		p->events->on_end(p->context, why);
}

static bool may_show(const struct pipe *p)
{
	return !p->paused && !p->ended && !p->closed && p->events;
}

void pipe_own_input(struct pipe *p)
{
	struct bytes rest = buffer_bytes(&p->in);
	if (!p->lasting)
		return;
	p->lasting = false;
	buffer_init(&p->in, p->in_cap + PIPE_IN_SLACK);
	if (buffer_add(&p->in, rest) != ERR_NONE)
		abort();
}

static void show(struct pipe *p)
{
	if (p->in.len)
		p->events->on_data(p->context, &p->in);
	pipe_own_input(p);
	if (!p->in.len)
		buffer_clear(&p->in);
}

static uint8_t *scratch(void)
{
	static __thread uint8_t at[READ_CHUNK];
	return at;
}

enum err pipe_end_by_errno(void)
{
	return errno == ETIMEDOUT ? ERR_TIMEOUT : errno == EPIPE || errno == ECONNRESET ? ERR_CLOSED : ERR_IO;
}

/* The end of the stream, which a user that pauses is told later. */
static void meet_end(struct pipe *p, enum err why)
{
	if (p->paused)
		p->why = why;
	else
		pipe_tell_end(p, why);
}

/* Reads into `at` what fits into `room`; *len bytes of plaintext came. ERR_AGAIN: nothing was there; *full: there may be more. */
static enum err take_bytes(struct pipe *p, uint8_t *at, size_t room, size_t *len, bool *full)
{
	size_t want = room < READ_CHUNK ? room : READ_CHUNK;
	ssize_t got = recv(h2o_socket_get_fd(p->sock), p->plain ? at : scratch(), want, MSG_DONTWAIT);
	*len = got > 0 && p->plain ? (size_t)got : 0;
	*full = got == READ_CHUNK;
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return ERR_AGAIN;
	if (got <= 0)
		return got ? pipe_end_by_errno() : ERR_CLOSED;
	if (p->plain)
		return ERR_NONE;
	bool waited = p->sealed.len;
	tlsio_warm(&p->tls, loop_warmth(p->loop));
	enum err e = tlsio_open(&p->tls, bytes_of(scratch(), (size_t)got), at, len, &p->sealed);
	if (p->sealed.len && !waited) {
		p->told_written = false;
		loop_defer(p->loop, &p->flushing);
	}
	/* TLS itself answers who asks for new keys, also one that takes no answer. */
	return e || p->sealed.len <= ANSWERS_MOST ? e : ERR_TOO_BIG;
}

/* One read, shown in place. False: no more in this turn. */
static bool read_once(struct pipe *p)
{
	size_t kept = p->in.len, before = kept <= APART ? kept : 0, len;
	bool full;
	uint8_t *at = landing_room(loop_landing(p->loop));
	if (kept >= p->in_cap) {
		pipe_tell_end(p, ERR_TOO_BIG);
		return false;
	}
	if (!at)
		return false;
	enum err e = take_bytes(p, at + before, p->in_cap - kept, &len, &full);
	if (e == ERR_AGAIN)
		return false;
	if (before != kept) {
		if (buffer_add(&p->in, bytes_of(at, len)) != ERR_NONE)
			abort();
	} else if (len) {
		if (before)
			memcpy(at, p->in.at, before);
		buffer_clear(&p->in);
		landing_take(loop_landing(p->loop), before + len);
		p->in = (struct buffer){.at = at, .len = before + len, .base = at, .room = before + len, .cap = p->in.cap};
		p->lasting = true;
	}
	if (len)
		show(p);
	if (e)
		meet_end(p, e);
	return full && !e && may_show(p);
}

/* Moves what h2o held when it gave the socket away, until it is used up or nobody wants more. */
static void show_held(struct pipe *p)
{
	while (may_show(p) && p->sock && p->sock->input->size) {
		size_t room = p->in_cap > p->in.len ? p->in_cap - p->in.len : 0, count = p->sock->input->size;
		if (!room) {
			pipe_tell_end(p, ERR_TOO_BIG);
			return;
		}
		if (count > room)
			count = room;
		if (buffer_add(&p->in, bytes_of(p->sock->input->bytes, count)) != ERR_NONE)
			abort();
		h2o_buffer_consume(&p->sock->input, count);
		show(p);
	}
}

static void on_readable(h2o_socket_t *sock, const char *err)
{
	struct pipe *p = sock->data;
	struct loop *loop = p->loop;
	(void)err;
	show_held(p);
	for (unsigned i = 0; i < READS_PER_TURN && may_show(p) && read_once(p); i++)
		;
	loop_has_read(loop);
}

void pipe_on_show(void *context)
{
	struct pipe *p = context;
	if (p->why && !p->sock) {
		pipe_tell_end(p, p->why);
		return;
	}
	if (may_show(p))
		show(p);
	show_held(p);
	if (may_show(p) && p->why)
		pipe_tell_end(p, p->why);
}

void pipe_kick(struct pipe *p)
{
	if (!p->closed)
		loop_defer(p->loop, &p->showing);
}

size_t pipe_kept(const struct pipe *p)
{
	return p->in.len;
}

bool pipe_lasting(const struct pipe *p)
{
	return p->lasting;
}

void pipe_read_pause(struct pipe *p)
{
	p->paused = true;
	pipe_update_reading(p);
}

void pipe_read_resume(struct pipe *p)
{
	if (!p->paused)
		return;
	p->paused = false;
	pipe_update_reading(p);
	pipe_kick(p);
}

void pipe_set_events(struct pipe *p, const struct pipe_events *events, void *context)
{
	bool first = !p->events;
	p->events = events;
	p->context = context;
	pipe_update_reading(p);
	if (first)
		pipe_kick(p);
}
