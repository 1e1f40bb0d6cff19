#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "loop.h"
#include "loop_h2o.h"

struct watch {
	struct loop *loop;
	h2o_socket_t *sock;
	unsigned wanted;
	watch_fn on_ready;
	void *context;
	struct defer ending;
};

static void end(void *context)
{
	free(context);
}

struct watch *watch_open(struct loop *loop, int fd, watch_fn on_ready, void *context)
{
	int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (own < 0)
		abort();
	struct watch *w = x_alloc(sizeof(*w));
	*w = (struct watch){.loop = loop, .on_ready = on_ready, .context = context};
	w->sock = h2o_evloop_socket_create(loop_h2o(loop), own, H2O_SOCKET_FLAG_DONT_READ);
	w->sock->data = w;
	defer_init(&w->ending, end, w);
	return w;
}

static void on_readable(h2o_socket_t *sock, const char *err)
{
	struct watch *w = sock->data;
	(void)err;
	if (w->wanted & WATCH_READ)
		w->on_ready(w->context, WATCH_READ);
}

static void on_writable(h2o_socket_t *sock, const char *err)
{
	struct watch *w = sock->data;
	(void)err;
	if (!(w->wanted & WATCH_WRITE))
		return;
	h2o_socket_notify_write(sock, on_writable);
	w->on_ready(w->context, WATCH_WRITE);
}

void watch_want(struct watch *w, unsigned events)
{
	w->wanted = events;
	if (!(events & WATCH_READ)) {
		if (h2o_socket_is_reading(w->sock))
			h2o_socket_read_stop(w->sock);
	} else if (!h2o_socket_is_reading(w->sock)) {
		h2o_socket_read_start(w->sock, on_readable);
	}
	/* Interest in writing ends by itself with the next event. */
	if (events & WATCH_WRITE && !h2o_socket_is_writing(w->sock))
		h2o_socket_notify_write(w->sock, on_writable);
}

void watch_close(struct watch **at)
{
	struct watch *w = *at;
	*at = NULL;
	if (!w)
		return;
	w->wanted = 0;
	h2o_socket_close(w->sock);
	w->sock = NULL;
	loop_defer(w->loop, &w->ending);
}
