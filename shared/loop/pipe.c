#include "pipe.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <unistd.h>

#include "loop_h2o.h"

enum {
	READ_CHUNK = 64 * 1024, /* bytes taken from a socket per turn, so that no peer holds the loop */
	WRITE_VECTORS = 256,    /* pieces gathered into one write */
	TLS_CHUNK = 64 * 1024,  /* plaintext encrypted at once: h2o keeps the ciphertext until the kernel has it */
	OUT_CAP = 4 << 20
};

/* One piece of output: a buffer's memory, of which at..len is still to be sent. */
struct chunk {
	struct chunk *next;
	const uint8_t *at;
	size_t len;
	void *base;
};

struct pipe {
	struct loop *loop;
	h2o_socket_t *sock; /* NULL: connecting failed at once */
	const struct pipe_events *events;
	void *context;
	struct buffer in;
	struct chunk *out, **out_end;
	size_t out_len, out_cap;
	struct defer flushing, showing, ending;
	struct timer *connecting; /* only while connecting */
	struct endpoint peer;     /* where it was connected to */
	enum err why;             /* the end that is still to be told */
	bool plain, reading, paused, ended, closed, told_written;
};

struct pipe_parcel {
	h2o_socket_export_t socket;
	struct buffer in;
	size_t out_cap;
	enum err why;
	bool paused, ended;
};

static void on_flush(void *context);
static void on_show(void *context);
static void on_readable(h2o_socket_t *sock, const char *err);

static void end(void *context)
{
	struct pipe *p = context;
	buffer_clear(&p->in);
	free(p);
}

static struct pipe *pipe_new(struct loop *loop, size_t in_cap, const struct pipe_events *events, void *context)
{
	struct pipe *p = x_alloc(sizeof(*p));
	*p = (struct pipe){.loop = loop, .events = events, .context = context, .out_cap = OUT_CAP, .told_written = true};
	p->out_end = &p->out;
	buffer_init(&p->in, in_cap);
	defer_init(&p->flushing, on_flush, p);
	defer_init(&p->showing, on_show, p);
	defer_init(&p->ending, end, p);
	return p;
}

static void take_socket(struct pipe *p, h2o_socket_t *sock)
{
	p->sock = sock;
	p->plain = !sock->ssl;
	sock->data = p;
	/* Plain sockets are read here, into memory of the right size; h2o reads only what it must decrypt. */
	h2o_socket_dont_read(sock, p->plain);
}

/* ---- reading ---- */

static void update_reading(struct pipe *p)
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

static void tell_end(struct pipe *p, enum err why)
{
	if (p->ended || p->closed)
		return;
	p->ended = true;
	update_reading(p);
	if (p->events && p->events->on_end)
		p->events->on_end(p->context, why);
}

static bool may_show(const struct pipe *p)
{
	return !p->paused && !p->ended && !p->closed && p->events;
}

static void show(struct pipe *p)
{
	if (p->in.len)
		p->events->on_data(p->context, &p->in);
	if (!p->in.len)
		buffer_clear(&p->in);
}

static uint8_t *scratch(void)
{
	static __thread uint8_t at[READ_CHUNK];
	return at;
}

static enum err end_of_read(ssize_t got)
{
	if (!got)
		return ERR_CLOSED;
	return errno == ETIMEDOUT ? ERR_TIMEOUT : errno == ECONNRESET ? ERR_CLOSED : ERR_IO;
}

static void read_plain(struct pipe *p)
{
	size_t room = p->in.cap - p->in.len;
	if (!room) {
		tell_end(p, ERR_TOO_BIG);
		return;
	}
	ssize_t got = recv(h2o_socket_get_fd(p->sock), scratch(), room < READ_CHUNK ? room : READ_CHUNK, MSG_DONTWAIT);
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got <= 0) {
		tell_end(p, end_of_read(got));
		return;
	}
	if (buffer_add(&p->in, bytes_of(scratch(), (size_t)got)) != ERR_NONE)
		abort();
	show(p);
}

/* Moves what h2o holds into the pipe's own input, as much as fits, until it is used up or nobody wants more. */
static void show_held(struct pipe *p)
{
	while (may_show(p) && p->sock && p->sock->input->size) {
		size_t room = p->in.cap - p->in.len, count = p->sock->input->size;
		if (!room) {
			tell_end(p, ERR_TOO_BIG);
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
	if (p->plain) {
		read_plain(p);
		return;
	}
	show_held(p);
	if (!err)
		return;
	enum err why = err == h2o_socket_error_closed ? ERR_CLOSED : ERR_IO;
	if (p->paused)
		p->why = why;
	else
		tell_end(p, why);
}

static void on_show(void *context)
{
	struct pipe *p = context;
	if (p->why && !p->sock) {
		tell_end(p, p->why);
		return;
	}
	if (may_show(p))
		show(p);
	show_held(p);
	if (may_show(p) && p->why)
		tell_end(p, p->why);
}

void pipe_kick(struct pipe *p)
{
	if (!p->closed)
		loop_defer(p->loop, &p->showing);
}

void pipe_read_pause(struct pipe *p)
{
	p->paused = true;
	update_reading(p);
}

void pipe_read_resume(struct pipe *p)
{
	if (!p->paused)
		return;
	p->paused = false;
	update_reading(p);
	pipe_kick(p);
}

void pipe_set_events(struct pipe *p, const struct pipe_events *events, void *context)
{
	bool first = !p->events;
	p->events = events;
	p->context = context;
	update_reading(p);
	if (first)
		pipe_kick(p);
}

/* ---- writing ---- */

static void chunk_free(struct chunk *c)
{
	free(c->base);
	free(c);
}

/* The first `count` bytes have gone out. */
static void out_consume(struct pipe *p, size_t count)
{
	p->out_len -= count;
	while (p->out && count >= p->out->len) {
		struct chunk *c = p->out;
		count -= c->len;
		p->out = c->next;
		chunk_free(c);
	}
	if (!p->out)
		p->out_end = &p->out;
	else
		p->out->at += count, p->out->len -= count;
}

static void on_sendable(h2o_socket_t *sock, const char *err)
{
	struct pipe *p = sock->data;
	if (err)
		tell_end(p, ERR_IO);
	else
		on_flush(p);
}

/* Writes what the kernel takes now. False when the socket is broken; that is told by reading or by the caller. */
static bool write_plain(struct pipe *p)
{
	while (p->out) {
		struct iovec vectors[WRITE_VECTORS];
		size_t count = 0, given = 0;
		for (struct chunk *c = p->out; c && count < WRITE_VECTORS; c = c->next) {
			vectors[count++] = (struct iovec){.iov_base = (void *)(uintptr_t)c->at, .iov_len = c->len};
			given += c->len;
		}
		struct msghdr message = {.msg_iov = vectors, .msg_iovlen = count};
		ssize_t sent = sendmsg(h2o_socket_get_fd(p->sock), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0)
			return errno == EAGAIN;
		out_consume(p, (size_t)sent);
		if ((size_t)sent < given)
			return true;
	}
	return true;
}

/* TLS: one contiguous stretch at a time, so that small pieces share a record. h2o copies it while encrypting. */
static void write_tls(struct pipe *p, h2o_socket_cb on_sent)
{
	uint8_t *to = scratch();
	size_t len = 0;
	for (struct chunk *c = p->out; c && len < TLS_CHUNK; c = c->next) {
		size_t part = c->len < TLS_CHUNK - len ? c->len : TLS_CHUNK - len;
		memcpy(to + len, c->at, part);
		len += part;
	}
	out_consume(p, len);
	h2o_iovec_t vector = h2o_iovec_init(to, len);
	h2o_socket_write(p->sock, &vector, 1, on_sent);
}

static void tell_written(struct pipe *p)
{
	if (p->told_written || p->ended)
		return;
	p->told_written = true;
	if (p->events && p->events->on_written)
		p->events->on_written(p->context);
}

static void on_flush(void *context)
{
	struct pipe *p = context;
	if (p->closed || p->ended || p->connecting || !p->sock || h2o_socket_is_writing(p->sock))
		return;
	if (p->out && !p->plain) {
		write_tls(p, on_sendable);
		return;
	}
	if (!write_plain(p))
		tell_end(p, errno == ETIMEDOUT ? ERR_TIMEOUT : errno == EPIPE || errno == ECONNRESET ? ERR_CLOSED : ERR_IO);
	else if (p->out)
		h2o_socket_notify_write(p->sock, on_sendable);
	else
		tell_written(p);
}

enum err pipe_write(struct pipe *p, struct buffer *out)
{
	if (!out->len)
		return ERR_NONE;
	if (out->len > p->out_cap - (p->out_len < p->out_cap ? p->out_len : p->out_cap))
		return ERR_TOO_BIG;
	struct chunk *c = x_alloc(sizeof(*c));
	*c = (struct chunk){.at = out->at, .len = out->len, .base = out->base};
	buffer_init(out, out->cap);
	*p->out_end = c;
	p->out_end = &c->next;
	p->out_len += c->len;
	p->told_written = false;
	loop_defer(p->loop, &p->flushing);
	return ERR_NONE;
}

void pipe_set_out_cap(struct pipe *p, size_t cap)
{
	p->out_cap = cap;
}

bool pipe_busy(const struct pipe *p)
{
	return p->out || (p->sock && h2o_socket_is_writing(p->sock));
}

size_t pipe_unsent(const struct pipe *p)
{
	return p->out_len;
}

/* ---- beginning and end ---- */

struct pipe *pipe_adopt(struct loop *loop, h2o_socket_t *sock, size_t in_cap, const struct pipe_events *events, void *context)
{
	struct pipe *p = pipe_new(loop, in_cap, events, context);
	take_socket(p, sock);
	update_reading(p);
	if (sock->input->size)
		pipe_kick(p);
	return p;
}

struct pipe *pipe_open(struct loop *loop, int fd, size_t in_cap, const struct pipe_events *events, void *context)
{
	return pipe_adopt(loop, h2o_evloop_socket_create(loop_h2o(loop), fd, 0), in_cap, events, context);
}

static void connecting_ended(struct pipe *p)
{
	if (!p->connecting)
		return;
	timer_cancel(p->connecting);
	free(p->connecting);
	p->connecting = NULL;
}

static void on_connected(h2o_socket_t *sock, const char *err)
{
	struct pipe *p = sock->data;
	connecting_ended(p);
	if (err) {
		tell_end(p, ERR_UNAVAILABLE);
		return;
	}
	update_reading(p);
	p->told_written = false;
	on_flush(p);
}

static void on_too_slow(void *context)
{
	struct pipe *p = context;
	/* The timer stays allocated: it is what keeps the pipe from reading and writing. */
	tell_end(p, ERR_TIMEOUT);
}

struct pipe *pipe_connect(struct loop *loop, struct endpoint to, int64_t timeout_ms, size_t in_cap, const struct pipe_events *events, void *context)
{
	struct pipe *p = pipe_new(loop, in_cap, events, context);
	struct sockaddr_storage sa;
	socklen_t len = endpoint_to_sockaddr(to, &sa);
	p->peer = to;
	h2o_socket_t *sock = h2o_socket_connect(loop_h2o(loop), (struct sockaddr *)&sa, len, on_connected);
	if (!sock) {
		p->why = ERR_UNAVAILABLE;
		loop_defer(loop, &p->showing);
		return p;
	}
	socket_tune(h2o_socket_get_fd(sock));
	p->connecting = x_alloc(sizeof(*p->connecting));
	timer_init(p->connecting, loop, on_too_slow, p);
	timer_set(p->connecting, timeout_ms);
	take_socket(p, sock);
	return p;
}

/* The last words, as far as they go without waiting. */
static void write_farewell(struct pipe *p)
{
	if (p->ended || p->connecting || !p->sock || !p->out)
		return;
	if (p->plain)
		(void)write_plain(p);
}

static void on_farewell_sent(h2o_socket_t *sock, const char *err)
{
	(void)err;
	h2o_socket_close(sock);
}

static void close_socket(struct pipe *p)
{
	h2o_socket_t *sock = p->sock;
	p->sock = NULL;
	if (!sock)
		return;
	sock->data = NULL;
	if (h2o_socket_is_reading(sock))
		h2o_socket_read_stop(sock);
	h2o_socket_close(sock);
}

void pipe_close(struct pipe **at)
{
	struct pipe *p = *at;
	*at = NULL;
	if (!p)
		return;
	write_farewell(p);
	bool farewell = p->sock && !p->plain && !p->ended && p->out && !h2o_socket_is_writing(p->sock);
	p->closed = true;
	connecting_ended(p);
	if (farewell) {
		h2o_socket_read_stop(p->sock);
		write_tls(p, on_farewell_sent);
	} else {
		close_socket(p);
	}
	while (p->out) {
		struct chunk *c = p->out;
		p->out = c->next;
		chunk_free(c);
	}
	defer_cancel(&p->flushing);
	defer_cancel(&p->showing);
	loop_defer(p->loop, &p->ending);
}

struct endpoint pipe_peer(const struct pipe *p)
{
	struct sockaddr_storage sa = {0};
	socklen_t len = sizeof(sa);
	if (p->peer.ip.family || !p->sock)
		return p->peer;
	if (getpeername(h2o_socket_get_fd(p->sock), (struct sockaddr *)&sa, &len) < 0)
		return (struct endpoint){0};
	return endpoint_from_sockaddr((struct sockaddr *)&sa);
}

void pipe_set_dead_after(struct pipe *p, int64_t unacked_ms, int64_t idle_ms)
{
	int unacked = (int)unacked_ms, idle_s = (int)(idle_ms / 1000);
	/* Unix sockets know neither. */
	(void)!setsockopt(h2o_socket_get_fd(p->sock), IPPROTO_TCP, TCP_USER_TIMEOUT, &unacked, sizeof(unacked));
	(void)!setsockopt(h2o_socket_get_fd(p->sock), IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof(idle_s));
}

/* ---- to another loop ---- */

struct pipe_parcel *pipe_export(struct pipe **at)
{
	struct pipe *p = *at;
	*at = NULL;
	assert(p->sock && !p->connecting && !pipe_busy(p));
	struct pipe_parcel *parcel = x_zalloc(sizeof(*parcel));
	parcel->out_cap = p->out_cap;
	parcel->paused = p->paused;
	parcel->ended = p->ended;
	parcel->why = p->why;
	buffer_init(&parcel->in, p->in.cap);
	buffer_move(&parcel->in, &p->in);
	if (h2o_socket_is_reading(p->sock))
		h2o_socket_read_stop(p->sock);
	if (h2o_socket_export(p->sock, &parcel->socket))
		abort();
	p->sock = NULL;
	p->closed = true;
	defer_cancel(&p->flushing);
	defer_cancel(&p->showing);
	loop_defer(p->loop, &p->ending);
	return parcel;
}

struct pipe *pipe_import(struct loop *loop, struct pipe_parcel **at, const struct pipe_events *events, void *context)
{
	struct pipe_parcel *parcel = *at;
	*at = NULL;
	struct pipe *p = pipe_new(loop, parcel->in.cap, events, context);
	p->out_cap = parcel->out_cap;
	p->paused = parcel->paused;
	p->ended = parcel->ended;
	p->why = parcel->why;
	buffer_move(&p->in, &parcel->in);
	take_socket(p, h2o_socket_import(loop_h2o(loop), &parcel->socket));
	free(parcel);
	update_reading(p);
	if (p->in.len || p->sock->input->size)
		pipe_kick(p);
	return p;
}
