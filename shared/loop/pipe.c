#include "pipe.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <unistd.h>

#include "loop_h2o.h"
#include "tlsio.h"

enum {
	READ_CHUNK = 64 * 1024, /* bytes taken from a socket at once */
	READS_PER_TURN = 4,     /* so that no peer holds the loop */
	APART = 4096,           /* unconsumed input past this is added to; less is moved before what comes */
	IN_SLACK = LANDING_ROOM,
	WRITE_VECTORS = 256, /* pieces gathered into one write */
	WRITES_PER_TURN = 16,
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
	size_t in_cap;
	struct chunk *out, **out_end;
	size_t out_len, out_cap;
	struct tlsio tls;
	struct buffer sealed; /* records that the kernel has not taken yet */
	struct defer flushing, showing, ending;
	struct timer *connecting; /* only while connecting */
	struct endpoint peer;     /* where it was connected to */
	enum err why;             /* the end that is still to be told */
	bool plain, reading, paused, ended, closed, told_written;
	bool lasting; /* `in` is a view of what has landed */
};

struct pipe_parcel {
	h2o_socket_export_t socket;
	struct buffer in;
	size_t in_cap, out_cap;
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
	buffer_clear(&p->sealed);
	free(p);
}

static struct pipe *pipe_new(struct loop *loop, size_t in_cap, const struct pipe_events *events, void *context)
{
	struct pipe *p = x_alloc(sizeof(*p));
	*p = (struct pipe){.loop = loop, .events = events, .context = context, .in_cap = in_cap, .out_cap = OUT_CAP, .told_written = true};
	p->out_end = &p->out;
	buffer_init(&p->in, in_cap + IN_SLACK);
	buffer_init(&p->sealed, SIZE_MAX / 2);
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
	/* Sockets are read here, into memory that all share. */
	h2o_socket_dont_read(sock, 1);
	if (!p->plain)
		tlsio_take(&p->tls, sock);
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

/* What is left of the view becomes the pipe's own. */
static void own_input(struct pipe *p)
{
	struct bytes rest = buffer_bytes(&p->in);
	if (!p->lasting)
		return;
	p->lasting = false;
	buffer_init(&p->in, p->in_cap + IN_SLACK);
	if (buffer_add(&p->in, rest) != ERR_NONE)
		abort();
}

static void show(struct pipe *p)
{
	if (p->in.len)
		p->events->on_data(p->context, &p->in);
	own_input(p);
	if (!p->in.len)
		buffer_clear(&p->in);
}

static uint8_t *scratch(void)
{
	static __thread uint8_t at[READ_CHUNK];
	return at;
}

static enum err end_by_errno(void)
{
	return errno == ETIMEDOUT ? ERR_TIMEOUT : errno == EPIPE || errno == ECONNRESET ? ERR_CLOSED : ERR_IO;
}

/* The end of the stream, which a user that pauses is told later. */
static void meet_end(struct pipe *p, enum err why)
{
	if (p->paused)
		p->why = why;
	else
		tell_end(p, why);
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
		return got ? end_by_errno() : ERR_CLOSED;
	if (p->plain)
		return ERR_NONE;
	bool waited = p->sealed.len;
	tlsio_warm(&p->tls, loop_warmth(p->loop));
	enum err e = tlsio_open(&p->tls, bytes_of(scratch(), (size_t)got), at, len, &p->sealed);
	if (p->sealed.len && !waited)
		loop_defer(p->loop, &p->flushing);
	return e;
}

/* One read, shown in place. False: no more in this turn. */
static bool read_once(struct pipe *p)
{
	size_t kept = p->in.len, before = kept <= APART ? kept : 0, len;
	bool full;
	uint8_t *at = landing_room(loop_landing(p->loop));
	if (kept >= p->in_cap) {
		tell_end(p, ERR_TOO_BIG);
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
	(void)err;
	show_held(p);
	for (unsigned i = 0; i < READS_PER_TURN && may_show(p) && read_once(p); i++)
		;
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

bool pipe_lasting(const struct pipe *p)
{
	return p->lasting;
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

static void out_add(struct pipe *p, const uint8_t *at, size_t len, void *base)
{
	struct chunk *c = x_alloc(sizeof(*c));
	*c = (struct chunk){.at = at, .len = len, .base = base};
	*p->out_end = c;
	p->out_end = &c->next;
	p->out_len += len;
	p->told_written = false;
}

static void on_sendable(h2o_socket_t *sock, const char *err)
{
	struct pipe *p = sock->data;
	if (err)
		tell_end(p, ERR_IO);
	else
		on_flush(p);
}

/* The first pieces of what waits, at most `most` bytes. */
static size_t first_pieces(const struct pipe *p, size_t most, struct iovec vectors[static WRITE_VECTORS], size_t *total)
{
	size_t count = 0;
	*total = 0;
	for (struct chunk *c = p->out; c && count < WRITE_VECTORS && *total < most; c = c->next) {
		size_t len = c->len < most - *total ? c->len : most - *total;
		vectors[count++] = (struct iovec){.iov_base = (void *)(uintptr_t)c->at, .iov_len = len};
		*total += len;
	}
	return count;
}

/* Bytes that the kernel took, -1 when the socket is broken (errno tells). */
static ssize_t give(struct pipe *p, struct iovec *vectors, size_t count)
{
	struct msghdr message = {.msg_iov = vectors, .msg_iovlen = count};
	for (;;) {
		ssize_t sent = sendmsg(h2o_socket_get_fd(p->sock), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (sent >= 0 || errno != EINTR)
			return sent >= 0 ? sent : errno == EAGAIN ? 0 : -1;
	}
}

/* Writes what the kernel takes now. False when the socket is broken; that is told by reading or by the caller. */
static bool write_plain(struct pipe *p)
{
	for (unsigned i = 0; p->out && i < WRITES_PER_TURN; i++) {
		struct iovec vectors[WRITE_VECTORS];
		size_t given, count = first_pieces(p, SIZE_MAX, vectors, &given);
		ssize_t sent = give(p, vectors, count);
		if (sent < 0)
			return false;
		out_consume(p, (size_t)sent);
		if ((size_t)sent < given)
			return true;
	}
	return true;
}

/* Gives the records in `sealed`, which is the pipe's own or all that there is; keeps what the kernel does not take. */
static bool give_sealed(struct pipe *p, struct buffer *sealed)
{
	struct iovec vector = {.iov_base = sealed->at, .iov_len = sealed->len};
	ssize_t sent = sealed->len ? give(p, &vector, 1) : 0;
	if (sent < 0)
		return false;
	buffer_consume(sealed, (size_t)sent);
	if (sealed != &p->sealed && sealed->len && buffer_add(&p->sealed, buffer_bytes(sealed)) != ERR_NONE)
		abort();
	if (!p->sealed.len)
		buffer_clear(&p->sealed);
	return true;
}

/* Seals the pieces and gives them to the kernel. */
static bool give_pieces_tls(struct pipe *p, const struct iovec *pieces, size_t count)
{
	static __thread uint8_t room[TLSIO_SEALED_MOST];
	tlsio_warm(&p->tls, loop_warmth(p->loop));
	struct buffer sealed = {.at = room, .base = room, .room = sizeof(room), .cap = sizeof(room)};
	if (tlsio_seal(&p->tls, pieces, count, &sealed) != ERR_NONE) {
		errno = EIO;
		return false;
	}
	return give_sealed(p, &sealed);
}

static bool write_tls(struct pipe *p)
{
	for (unsigned i = 0; i < WRITES_PER_TURN; i++) {
		struct iovec vectors[WRITE_VECTORS];
		size_t total, count;
		if (!give_sealed(p, &p->sealed))
			return false;
		if (p->sealed.len || !p->out)
			return true;
		count = first_pieces(p, TLSIO_SEAL_MOST, vectors, &total);
		if (!give_pieces_tls(p, vectors, count))
			return false;
		out_consume(p, total);
	}
	return true;
}

static void tell_written(struct pipe *p)
{
	if (p->told_written || p->ended)
		return;
	p->told_written = true;
	if (p->events && p->events->on_written)
		p->events->on_written(p->context);
}

static bool waits(const struct pipe *p)
{
	return p->out || p->sealed.len;
}

static void on_flush(void *context)
{
	struct pipe *p = context;
	if (p->closed || p->ended || p->connecting || !p->sock || h2o_socket_is_writing(p->sock))
		return;
	if (!(p->plain ? write_plain(p) : write_tls(p)))
		tell_end(p, end_by_errno());
	else if (waits(p))
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
	out_add(p, out->at, out->len, out->base);
	buffer_init(out, out->cap);
	loop_defer(p->loop, &p->flushing);
	return ERR_NONE;
}

/* What was sent of the pieces is gone; the rest is copied. */
static void keep_rest(struct pipe *p, const struct iovec *pieces, size_t count, size_t sent)
{
	size_t total = 0, filled = 0;
	for (size_t i = 0; i < count; i++)
		total += pieces[i].iov_len;
	if (sent >= total)
		return;
	uint8_t *rest = x_alloc(total - sent);
	for (size_t i = 0; i < count; i++) {
		size_t skip = sent < pieces[i].iov_len ? sent : pieces[i].iov_len;
		memcpy(rest + filled, (const uint8_t *)pieces[i].iov_base + skip, pieces[i].iov_len - skip);
		filled += pieces[i].iov_len - skip;
		sent -= skip;
	}
	out_add(p, rest, filled, rest);
}

void pipe_send(struct pipe *p, struct iovec *pieces, size_t count)
{
	ssize_t sent = 0;
	bool good;
	assert(!pipe_busy(p) && !p->closed && !p->connecting);
	if (p->ended || !p->sock)
		return;
	if (p->plain) {
		sent = give(p, pieces, count);
		good = sent >= 0;
		if (good)
			keep_rest(p, pieces, count, (size_t)sent);
	} else {
		good = give_pieces_tls(p, pieces, count);
	}
	if (!good) {
		p->why = end_by_errno();
		pipe_kick(p);
	} else if (waits(p)) {
		p->told_written = false;
		h2o_socket_notify_write(p->sock, on_sendable);
	}
}

void pipe_set_out_cap(struct pipe *p, size_t cap)
{
	p->out_cap = cap;
}

bool pipe_busy(const struct pipe *p)
{
	return waits(p) || (p->sock && h2o_socket_is_writing(p->sock));
}

size_t pipe_unsent(const struct pipe *p)
{
	return p->out_len + p->sealed.len;
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
	if (p->ended || p->connecting || !p->sock)
		return;
	if (p->plain) {
		(void)write_plain(p);
	} else if (write_tls(p) && !waits(p)) {
		tlsio_farewell(&p->tls, &p->sealed);
		(void)give_sealed(p, &p->sealed);
	}
}

static void close_socket(struct pipe *p)
{
	h2o_socket_t *sock = p->sock;
	p->sock = NULL;
	if (!sock)
		return;
	sock->data = NULL;
	if (!p->plain)
		tlsio_leave(&p->tls);
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
	p->closed = true;
	if (p->lasting)
		buffer_init(&p->in, 0);
	p->lasting = false;
	connecting_ended(p);
	close_socket(p);
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
	own_input(p);
	parcel->in_cap = p->in_cap;
	parcel->out_cap = p->out_cap;
	parcel->paused = p->paused;
	parcel->ended = p->ended;
	parcel->why = p->why;
	buffer_init(&parcel->in, p->in.cap);
	buffer_move(&parcel->in, &p->in);
	if (h2o_socket_is_reading(p->sock))
		h2o_socket_read_stop(p->sock);
	if (!p->plain)
		tlsio_leave(&p->tls);
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
	struct pipe *p = pipe_new(loop, parcel->in_cap, events, context);
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
