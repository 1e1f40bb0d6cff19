#include "pipeparts.h"

#include <assert.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>

enum { OUT_CAP = 4 << 20 };

struct pipe_parcel {
	h2o_socket_export_t socket;
	struct buffer in;
	size_t in_cap, out_cap;
	enum err why;
	bool paused, ended;
};

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
	buffer_init(&p->in, in_cap + PIPE_IN_SLACK);
	buffer_init(&p->sealed, SIZE_MAX / 2);
	defer_init(&p->flushing, pipe_on_flush, p);
	defer_init(&p->showing, pipe_on_show, p);
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

/* ---- beginning and end ---- */

struct pipe *pipe_adopt(struct loop *loop, h2o_socket_t *sock, size_t in_cap, const struct pipe_events *events, void *context)
{
	struct pipe *p = pipe_new(loop, in_cap, events, context);
	take_socket(p, sock);
	pipe_update_reading(p);
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
		pipe_tell_end(p, ERR_UNAVAILABLE);
		return;
	}
	pipe_update_reading(p);
	p->told_written = false;
	pipe_on_flush(p);
}

static void on_too_slow(void *context)
{
	struct pipe *p = context;
	/* The timer stays allocated: it is what keeps the pipe from reading and writing. */
	pipe_tell_end(p, ERR_TIMEOUT);
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
	pipe_write_farewell(p);
	p->closed = true;
	if (p->lasting)
		buffer_init(&p->in, 0);
	p->lasting = false;
	connecting_ended(p);
	close_socket(p);
	pipe_drop_output(p);
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

const char *pipe_tls_version(const struct pipe *p)
{
	return p->sock && p->sock->ssl ? h2o_socket_get_ssl_protocol_version(p->sock) : NULL;
}

bool pipe_rtt_us(const struct pipe *p, uint32_t *us)
{
	struct tcp_info info;
	socklen_t len = sizeof info;
	if (!p->sock || getsockopt(h2o_socket_get_fd(p->sock), IPPROTO_TCP, TCP_INFO, &info, &len) < 0)
		return false;
	*us = info.tcpi_rtt;
	return true;
}

/* ---- to another loop ---- */

struct pipe_parcel *pipe_export(struct pipe **at)
{
	struct pipe *p = *at;
	*at = NULL;
	assert(p->sock && !p->connecting && !pipe_busy(p));
	struct pipe_parcel *parcel = x_zalloc(sizeof(*parcel));
	pipe_own_input(p);
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
	pipe_update_reading(p);
	if (p->in.len || p->sock->input->size)
		pipe_kick(p);
	return p;
}
