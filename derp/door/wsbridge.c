#include "wsbridge.h"

#include <linux/sockios.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "metrics_relay.h"
#include "shard.h"
#include "tunnel.h"

enum {
	NEAR_BUFFER = 64 << 10, /* of the pair: what it holds, the relay cannot drop any more */
	IN_MAX = 128 << 10,
	PIECE = 64 << 10, /* bytes framed at once */
	LOOK_MS = 100,    /* how finely that is watched */
};

struct wsbridge {
	struct shard *shard;
	struct tunnel far;  /* to the client */
	struct pipe *near;  /* to the relay */
	int near_fd;        /* of `near` */
	struct timer stall; /* set: the client has not taken all that it was given, */
	size_t unsent;      /* so much of it when last looked */
	struct mono moved;  /* when that was last less */
	struct mono alone;  /* since then the relay's side has ended; 0: it has not */
	size_t held;        /* as counted in room.bridged */
	struct timer look;  /* set: the relay had not taken all between them when that was counted; it takes it without a word */
	struct defer ending;
	bool ended;
};

static void free_now(void *context)
{
	free(context);
}

static void set_held(struct wsbridge *b, size_t held)
{
	b->shard->room.bridged += held - b->held;
	b->held = held;
}

/* On both sides and between them. */
static void count(struct wsbridge *b)
{
	int to_client = 0, to_relay = 0;
	if (b->ended)
		return;
	if (ioctl(b->near_fd, SIOCINQ, &to_client) < 0 || ioctl(b->near_fd, SIOCOUTQ, &to_relay) < 0)
		to_client = to_relay = 0;
	set_held(b, tunnel_held(&b->far) + pipe_kept(b->near) + pipe_unsent(b->near) + (size_t)to_client + (size_t)to_relay);
	if (to_relay && !timer_is_set(&b->look))
		timer_set(&b->look, LOOK_MS);
}

static void on_look(void *context)
{
	count(context);
}

static void end(struct wsbridge *b)
{
	if (b->ended)
		return;
	b->ended = true;
	set_held(b, 0);
	timer_cancel(&b->stall);
	timer_cancel(&b->look);
	tunnel_close(&b->far);
	pipe_close(&b->near);
	loop_defer(b->shard->loop, &b->ending);
}

static void on_end(void *context, enum err why)
{
	(void)why;
	end(context);
}

/* One direction at a time: what one side says is read only when the other has taken what came before. */
static void on_far_data(void *context, struct buffer *in)
{
	struct wsbridge *b = context;
	struct buffer bytes;
	buffer_init(&bytes, IN_MAX);
	if (b->ended || !in->len)
		return;
	if (buffer_add(&bytes, bytes_take(buffer_bytes(in), IN_MAX)) || pipe_write(b->near, &bytes)) {
		buffer_clear(&bytes);
		end(b);
		return;
	}
	buffer_consume(in, in->len < IN_MAX ? in->len : IN_MAX);
	pipe_read_pause(b->far.pipe);
	count(b);
}

static void on_near_written(void *context)
{
	struct wsbridge *b = context;
	if (b->ended)
		return;
	pipe_read_resume(b->far.pipe);
	count(b);
}

static void on_near_data(void *context, struct buffer *in)
{
	struct wsbridge *b = context;
	struct buffer bytes;
	if (b->ended || !in->len || tunnel_busy(&b->far))
		return;
	struct bytes piece = bytes_take(buffer_bytes(in), PIECE);
	buffer_init(&bytes, PIECE);
	if (buffer_add(&bytes, piece) || tunnel_write(&b->far, &bytes)) {
		buffer_clear(&bytes);
		end(b);
		return;
	}
	buffer_consume(in, piece.len);
	pipe_read_pause(b->near);
	b->unsent = pipe_unsent(b->far.pipe);
	b->moved = clock_mono();
	timer_set(&b->stall, LOOK_MS);
	count(b);
}

/* Nobody reads there meanwhile, hence would not be told. */
static bool relay_has_ended(const struct wsbridge *b)
{
	struct pollfd p = {.fd = b->near_fd};
	return poll(&p, 1, 0) > 0 && p.revents & (POLLHUP | POLLERR);
}

static void on_stall(void *context)
{
	struct wsbridge *b = context;
	struct mono now = clock_mono();
	size_t unsent = pipe_unsent(b->far.pipe);
	if (unsent < b->unsent)
		b->moved = now;
	b->unsent = unsent;
	if (!b->alone.ms && relay_has_ended(b))
		b->alone = now;
	int64_t patience_ms = b->shard->options->limit_write_ms;
	bool takes_nothing = now.ms - b->moved.ms >= patience_ms;
	if (takes_nothing || (b->alone.ms && now.ms - b->alone.ms >= patience_ms)) {
		relay_count(RELAY_WRITE_TIMEOUTS, takes_nothing);
		end(b);
		return;
	}
	timer_set(&b->stall, LOOK_MS);
	count(b);
}

static void on_far_written(void *context)
{
	struct wsbridge *b = context;
	if (b->ended)
		return;
	timer_cancel(&b->stall);
	pipe_read_resume(b->near);
	pipe_kick(b->near);
	count(b);
}

static const struct pipe_events far_events = {.on_data = on_far_data, .on_written = on_far_written, .on_end = on_end};
static const struct pipe_events near_events = {.on_data = on_near_data, .on_written = on_near_written, .on_end = on_end};

struct pipe *wsbridge_open(struct shard *s, struct pipe *framed, size_t in_cap)
{
	int pair[2], size = NEAR_BUFFER;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) < 0) {
		pipe_close(&framed);
		return NULL;
	}
	for (unsigned i = 0; i < 2; i++)
		(void)!setsockopt(pair[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
	struct wsbridge *b = x_alloc(sizeof(*b));
	*b = (struct wsbridge){.shard = s, .near_fd = pair[0]};
	timer_init(&b->stall, s->loop, on_stall, b);
	timer_init(&b->look, s->loop, on_look, b);
	defer_init(&b->ending, free_now, b);
	b->near = pipe_open(s->loop, pair[0], IN_MAX, &near_events, b);
	tunnel_open(&b->far, s->loop, framed, true, &far_events, b);
	return pipe_open(s->loop, pair[1], in_cap, NULL, NULL);
}
