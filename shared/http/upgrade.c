#include "upgrade.h"

#include <assert.h>
#include <ctype.h>

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
		struct front_connection *c = sock->on_close.data;
		c->upgraded = true;
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

void upgrade_take(struct exchange *x, const char *protocol, struct bytes first, size_t in_cap, void (*on_pipe)(void *context, struct pipe *pipe), void *context)
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
		return;
	}
	req->res.status = 101;
	req->res.reason = front_reason(101);
	front_add_header(req, "Upgrade", bytes_text(protocol));
	h2o_iovec_t more = h2o_strdup(&req->pool, first.len ? (const char *)first.at : "", first.len);
	h2o_http1_upgrade(req, &more, first.len != 0, on_head_sent, f);
}
