#include "pipeparts.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

enum {
	WRITE_VECTORS = 256, /* pieces gathered into one write */
	WRITES_PER_TURN = 16,
};

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
		pipe_tell_end(p, ERR_IO);
	else
		pipe_on_flush(p);
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

void pipe_on_flush(void *context)
{
	struct pipe *p = context;
	if (p->closed || p->ended || p->connecting || !p->sock || h2o_socket_is_writing(p->sock))
		return;
	if (!(p->plain ? write_plain(p) : write_tls(p)))
		pipe_tell_end(p, pipe_end_by_errno());
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
		p->why = pipe_end_by_errno();
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

void pipe_write_farewell(struct pipe *p)
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

void pipe_drop_output(struct pipe *p)
{
	while (p->out) {
		struct chunk *c = p->out;
		p->out = c->next;
		chunk_free(c);
	}
}
