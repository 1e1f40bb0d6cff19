#include "upgrade.h"

#include <assert.h>
#include <ctype.h>
#include <fcntl.h>
#include <unistd.h>

#include "front.h"

#include <h2o/http1.h>

struct bytes upgrade_wanted(struct exchange *x)
{
	struct front_exchange *f = front_of(x);
	if (!f || !f->req || !f->req->upgrade.base)
		return BYTES_NONE;
	size_t len = f->req->upgrade.len;
	uint8_t *lower = arena_alloc(x->arena, len + 1);
	for (size_t i = 0; i < len; i++)
		lower[i] = (uint8_t)tolower((unsigned char)f->req->upgrade.base[i]);
	return bytes_of(lower, len);
}

static void on_head_sent(void *context, h2o_socket_t *sock, size_t request_size)
{
	struct front_exchange *f = context;
	struct pipe *pipe = NULL;
	if (sock) {
		front_hand_over(sock->on_close.data);
		h2o_buffer_consume(&sock->input, request_size);
		pipe = pipe_adopt(f->x.loop, sock, f->in_cap, NULL, NULL);
	}
	front_end(f);
	f->on_pipe(f->context, pipe);
}

static void on_tell_lost(void *context)
{
	struct front_exchange *f = context;
	on_head_sent(f, NULL, 0);
}

/* Answered from now on; NULL when the client is gone, which is told at the end of the turn. */
static h2o_req_t *begin(struct exchange *x, size_t in_cap, void (*on_pipe)(void *context, struct pipe *pipe), void *context)
{
	struct front_exchange *f = front_of(x);
	assert(f && !x->answered);
	x->answered = true;
	f->in_cap = in_cap;
	f->on_pipe = on_pipe;
	f->context = context;
	h2o_req_t *req = front_untie(f);
	if (!req) {
		defer_init(&f->telling, on_tell_lost, f);
		loop_defer(x->loop, &f->telling);
		return NULL;
	}
	req->res.status = 101;
	req->res.reason = front_reason(101);
	return req;
}

void upgrade_take(struct exchange *x, const char *protocol, struct bytes first, size_t in_cap, void (*on_pipe)(void *context, struct pipe *pipe), void *context)
{
	h2o_req_t *req = begin(x, in_cap, on_pipe, context);
	if (!req)
		return;
	front_add_header(req, "Upgrade", bytes_text(protocol));
	h2o_iovec_t more = h2o_strdup(&req->pool, first.len ? (const char *)first.at : "", first.len);
	h2o_http1_upgrade(req, &more, first.len != 0, on_head_sent, front_of(x));
}

/* h2o gives a connection away only by writing a head, at once. For that moment the descriptor is /dev/null and the connection has no TLS, whose records would count. */
void upgrade_take_silently(struct exchange *x, size_t in_cap, void (*on_pipe)(void *context, struct pipe *pipe), void *context)
{
	h2o_req_t *req = begin(x, in_cap, on_pipe, context);
	if (!req)
		return;
	h2o_socket_t *sock = req->conn->callbacks->get_socket(req->conn);
	int fd = h2o_socket_get_fd(sock), kept = fcntl(fd, F_DUPFD_CLOEXEC, 0), nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
	bool muted = kept >= 0 && nowhere >= 0 && dup3(nowhere, fd, O_CLOEXEC) >= 0;
	struct st_h2o_socket_ssl_t *ssl = sock->ssl;
	if (muted)
		sock->ssl = NULL;
	/* Without descriptors for this the client hears a head that it does not expect, and comes again. */
	h2o_http1_upgrade(req, NULL, 0, on_head_sent, front_of(x));
	sock->ssl = ssl;
	if (muted)
		(void)dup3(kept, fd, O_CLOEXEC);
	if (kept >= 0)
		close(kept);
	if (nowhere >= 0)
		close(nowhere);
}
