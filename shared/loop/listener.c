#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <unistd.h>

#include "loop_h2o.h"

enum {
	BACKLOG = 4096,         /* the kernel clips it to net.core.somaxconn */
	ACCEPTS_PER_TURN = 64,  /* so that a storm of connections does not starve those that are there */
	ACCEPTS_IN_TRAFFIC = 1, /* while packets pass: a TLS handshake takes as long as a hundred of them */
	EMPTY_MAX = 65536,
	REST_MS = 100, /* pause when descriptors have run out */
	KEEP_IDLE_S = 60,
	KEEP_INTERVAL_S = 10,
	KEEP_PROBES = 3,
	UNACKED_MS = 30000 /* sent bytes may stay so long without an acknowledgement */
};

struct listener {
	struct loop *loop;
	int fd;
	struct watch *watch;
	struct timer rest;
	void (*on_accept)(void *context, int fd);
	void *context;
	struct defer ending;
};

static void set_int(int fd, int level, int name, int value)
{
	/* Unix sockets know none of these. */
	(void)!setsockopt(fd, level, name, &value, sizeof(value));
}

void socket_tune(int fd)
{
	set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	set_int(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	set_int(fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEP_IDLE_S);
	set_int(fd, IPPROTO_TCP, TCP_KEEPINTVL, KEEP_INTERVAL_S);
	set_int(fd, IPPROTO_TCP, TCP_KEEPCNT, KEEP_PROBES);
	set_int(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, UNACKED_MS);
}

static bool lacks_resources(int e)
{
	return e == EMFILE || e == ENFILE || e == ENOBUFS || e == ENOMEM;
}

static void on_waiting(void *context, unsigned ready)
{
	struct listener *l = context;
	(void)ready;
	unsigned most = loop_moves(l->loop) ? ACCEPTS_IN_TRAFFIC : ACCEPTS_PER_TURN;
	for (unsigned i = 0; i < most; i++) {
		int fd = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0) {
			l->on_accept(l->context, fd);
			if (!l->watch)
				return; /* closed meanwhile */
		} else if (lacks_resources(errno)) {
			watch_want(l->watch, 0);
			timer_set(&l->rest, REST_MS);
			return;
		} else if (errno == EAGAIN || errno == EWOULDBLOCK) {
			return;
		}
	}
}

static void on_rested(void *context)
{
	struct listener *l = context;
	watch_want(l->watch, WATCH_READ);
}

static void end(void *context)
{
	free(context);
}

struct listener *listener_adopt(struct loop *loop, int fd, void (*on_accept)(void *context, int fd), void *context)
{
	struct listener *l = x_alloc(sizeof(*l));
	*l = (struct listener){.loop = loop, .fd = fd, .on_accept = on_accept, .context = context};
	timer_init(&l->rest, loop, on_rested, l);
	defer_init(&l->ending, end, l);
	l->watch = watch_open(loop, fd, on_waiting, l);
	watch_want(l->watch, WATCH_READ);
	return l;
}

struct listener *listener_open(struct loop *loop, struct endpoint at, void (*on_accept)(void *context, int fd), void *context, struct diag *why)
{
	struct sockaddr_storage sa;
	socklen_t len = endpoint_to_sockaddr(at, &sa);
	char text[ENDPOINT_TEXT_MAX];
	endpoint_format(text, at);
	int fd = socket(sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		diag_set(why, ERR_IO, "cannot make a socket for %s: %s", text, strerror(errno));
		return NULL;
	}
	set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	set_int(fd, SOL_SOCKET, SO_REUSEPORT, 1);
	if (sa.ss_family == AF_INET6)
		set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, !ip_equal(at.ip, (struct ip){.family = IP_V6}));
	socket_tune(fd);
	if (bind(fd, (struct sockaddr *)&sa, len) < 0 || listen(fd, BACKLOG) < 0) {
		diag_set(why, ERR_IO, "cannot listen on %s: %s", text, strerror(errno));
		close(fd);
		return NULL;
	}
	return listener_adopt(loop, fd, on_accept, context);
}

struct endpoint listener_endpoint(const struct listener *l)
{
	struct sockaddr_storage sa = {0};
	socklen_t len = sizeof(sa);
	if (getsockname(l->fd, (struct sockaddr *)&sa, &len) < 0)
		return (struct endpoint){0};
	return endpoint_from_sockaddr((struct sockaddr *)&sa);
}

void listener_empty(struct listener *l)
{
	for (unsigned i = 0; i < EMPTY_MAX; i++) {
		int fd = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0)
			l->on_accept(l->context, fd);
		else if (errno == EAGAIN || errno == EWOULDBLOCK || lacks_resources(errno))
			return;
	}
}

void listener_close(struct listener **at)
{
	struct listener *l = *at;
	*at = NULL;
	if (!l)
		return;
	timer_cancel(&l->rest);
	watch_close(&l->watch);
	close(l->fd);
	loop_defer(l->loop, &l->ending);
}
