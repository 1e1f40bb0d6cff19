#include "greeting.h"

#include <errno.h>
#include <stdlib.h>

struct greeting {
	struct loop *loop;
	h2o_socket_t *sock;
	struct timer patience;
	struct defer ending;
	struct buffer in;
	void (*on_greeted)(void *context, enum err e, const struct proxyline *line);
	void *context;
};

static void free_now(void *context)
{
	struct greeting *g = context;
	buffer_clear(&g->in);
	free(g);
}

static void answer(struct greeting *g, enum err e, const struct proxyline *line)
{
	timer_cancel(&g->patience);
	h2o_socket_read_stop(g->sock);
	h2o_socket_dont_read(g->sock, 0);
	g->sock->data = NULL;
	loop_defer(g->loop, &g->ending);
	g->on_greeted(g->context, e, line);
}

/* What was looked at becomes ours as far as it is header: the rest stays in the kernel for whoever comes next. */
static enum err take(struct greeting *g, size_t count)
{
	uint8_t taken[PROXYLINE_MAX];
	return recv(h2o_socket_get_fd(g->sock), taken, count, MSG_DONTWAIT) == (ssize_t)count ? ERR_NONE : ERR_IO;
}

static enum err step(struct greeting *g, struct proxyline *line)
{
	uint8_t seen[PROXYLINE_MAX];
	size_t had = g->in.len, used;
	ssize_t got = recv(h2o_socket_get_fd(g->sock), seen, PROXYLINE_MAX - had, MSG_PEEK | MSG_DONTWAIT);
	if (got < 0)
		return errno == EAGAIN || errno == EINTR ? ERR_AGAIN : ERR_CLOSED;
	if (!got)
		return ERR_CLOSED;
	if (buffer_add(&g->in, bytes_of(seen, (size_t)got)))
		return ERR_TOO_BIG;
	enum err e = proxyline_decode(buffer_bytes(&g->in), line, &used);
	if (e == ERR_AGAIN && g->in.len == PROXYLINE_MAX)
		return ERR_TOO_BIG;
	enum err lost = e == ERR_NONE ? take(g, used - had) : e == ERR_AGAIN ? take(g, (size_t)got) : ERR_NONE;
	return lost ? lost : e;
}

static void on_readable(h2o_socket_t *sock, const char *err)
{
	struct greeting *g = sock->data;
	struct proxyline line;
	enum err e = err ? ERR_CLOSED : step(g, &line);
	if (e != ERR_AGAIN)
		answer(g, e, &line);
}

static void on_too_slow(void *context)
{
	answer(context, ERR_TIMEOUT, NULL);
}

void greeting_begin(struct loop *loop, h2o_socket_t *sock, int64_t timeout_ms, void (*on_greeted)(void *context, enum err e, const struct proxyline *line),
		    void *context)
{
	struct greeting *g = x_alloc(sizeof(*g));
	*g = (struct greeting){.loop = loop, .sock = sock, .on_greeted = on_greeted, .context = context};
	buffer_init(&g->in, PROXYLINE_MAX);
	timer_init(&g->patience, loop, on_too_slow, g);
	defer_init(&g->ending, free_now, g);
	timer_set(&g->patience, timeout_ms);
	sock->data = g;
	h2o_socket_dont_read(sock, 1);
	h2o_socket_read_start(sock, on_readable);
}
