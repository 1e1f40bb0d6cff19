#include "busline.h"

#include <errno.h>
#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>
#include <unistd.h>

#include "buffer.h"
#include "key.h"
#include "log.h"
#include "pipe.h"
#include "text.h"
#include "worker.h"

enum {
	GREETING_MS = 3000,   /* to connect and to be greeted */
	ADDRESS_MS = 1000,    /* to reach one address of a name */
	ADDRESSES_MAX = 4,    /* of a name; a helper thread tries them */
	IN_CAP = 128 << 10,   /* given to the reader at once */
	REPLY_CAP = 64 << 20, /* of the reader: a reply that is not whole */
	OUT_CAP = 64 << 20
};

struct resolving;

struct busline {
	struct loop *loop;
	const struct bus_target *target;
	const struct busline_events *events;
	void *context;
	struct pipe *pipe; /* NULL while the name is resolved */
	struct resolving *resolving;
	redisReader *reader;
	struct buffer out;
	unsigned greetings; /* replies until it is up */
	bool up, down;
	enum err doomed;
	struct mono heard;
	struct timer deadline;
	struct defer flushing, freeing;
};

/* A name on its way to a connection, on a helper thread; the line may go meanwhile. */
struct resolving {
	struct busline *line;
	char host[BUS_NAME_MAX];
	uint16_t port;
	int fd; /* connected, or -1 */
};

/* ---- url ---- */

static enum err copy_text(char *to, size_t room, struct bytes text)
{
	if (text.len >= room || memchr(text.at, 0, text.len))
		return ERR_TOO_BIG;
	memcpy(to, text.at, text.len);
	to[text.len] = 0;
	return ERR_NONE;
}

static size_t last_of(struct bytes text, char c)
{
	size_t at = text.len;
	while (at && text.at[at - 1] != (uint8_t)c)
		at--;
	return at; /* just behind it; 0: none */
}

static enum err parse_host(struct bytes text, struct bus_target *target)
{
	if (endpoint_parse(text, &target->at) == ERR_NONE)
		return ERR_NONE;
	size_t port_at = last_of(text, ':');
	uint64_t port;
	if (port_at < 2 || text_parse_u64(bytes_skip(text, port_at), UINT16_MAX, &port) != ERR_NONE)
		return ERR_MALFORMED;
	target->at.port = (uint16_t)port;
	return copy_text(target->host, sizeof(target->host), bytes_take(text, port_at - 1));
}

enum err bus_target_parse(struct bytes url, struct bus_target *target, struct diag *why)
{
	*target = (struct bus_target){0};
	if (bytes_starts(url, "unix:/")) {
		if (copy_text(target->path, sizeof(target->path), bytes_skip(url, 5)) != ERR_NONE)
			return diag_set(why, ERR_TOO_BIG, "the path of a unix socket has at most 107 bytes");
		return ERR_NONE;
	}
	if (!bytes_starts(url, "redis://"))
		return diag_set(why, ERR_MALFORMED, "neither redis://[:password@]host:port[/number] nor unix:/path");
	struct bytes rest = bytes_skip(url, 8), database;
	size_t host_at = last_of(rest, '@');
	if (host_at) {
		struct bytes password = bytes_take(rest, host_at - 1);
		if (!bytes_starts(password, ":") || copy_text(target->password, sizeof(target->password), bytes_skip(password, 1)) != ERR_NONE)
			return diag_set(why, ERR_MALFORMED, "what stands before @ is not a colon and a password");
		rest = bytes_skip(rest, host_at);
	}
	struct bytes host = bytes_split(rest, '/', &database);
	uint64_t number = 0;
	if (database.len && text_parse_u64(database, 1 << 20, &number) != ERR_NONE)
		return diag_set(why, ERR_MALFORMED, "the database is not a number");
	target->database = (unsigned)number;
	if (parse_host(host, target) != ERR_NONE)
		return diag_set(why, ERR_MALFORMED, "not host:port");
	return ERR_NONE;
}

/* ---- ends ---- */

static void on_freed(void *context)
{
	struct busline *l = context;
	redisReaderFree(l->reader);
	buffer_clear(&l->out);
	free(l);
}

static void down(struct busline *l, enum err why)
{
	if (l->down)
		return;
	l->down = true;
	timer_cancel(&l->deadline);
	l->events->on_down(l->context, why);
}

static void doom(struct busline *l, enum err why)
{
	if (!l->doomed)
		l->doomed = why;
	loop_defer(l->loop, &l->flushing);
}

static void on_deadline(void *context)
{
	down(context, ERR_TIMEOUT);
}

static void on_pipe_end(void *context, enum err why)
{
	down(context, why);
}

/* ---- out ---- */

static void on_flush(void *context)
{
	struct busline *l = context;
	if (l->pipe && !l->doomed && l->out.len && pipe_write(l->pipe, &l->out) != ERR_NONE)
		l->doomed = ERR_TOO_BIG;
	if (l->doomed)
		down(l, l->doomed);
}

static enum err write_command(struct buffer *out, size_t argc, const struct bytes *argv)
{
	enum err e = buffer_format(out, "*%zu\r\n", argc);
	for (size_t i = 0; i < argc && !e; i++) {
		e = buffer_format(out, "$%zu\r\n", argv[i].len);
		if (!e)
			e = buffer_add(out, argv[i]);
		if (!e)
			e = buffer_add(out, BYTES("\r\n"));
	}
	return e;
}

void busline_command(struct busline *l, size_t argc, const struct bytes *argv)
{
	if (l->down || l->doomed)
		return;
	if (write_command(&l->out, argc, argv) != ERR_NONE)
		doom(l, ERR_TOO_BIG);
	else
		loop_defer(l->loop, &l->flushing);
}

static void greet(struct busline *l)
{
	const struct bus_target *t = l->target;
	char number[16];
	snprintf(number, sizeof(number), "%u", t->database);
	if (t->password[0]) {
		busline_command(l, 2, (struct bytes[]){BYTES("AUTH"), bytes_text(t->password)});
		l->greetings++;
	}
	if (t->database) {
		busline_command(l, 2, (struct bytes[]){BYTES("SELECT"), bytes_text(number)});
		l->greetings++;
	}
	/* Refused while Redis still loads its data. */
	busline_command(l, 1, (struct bytes[]){BYTES("PING")});
	l->greetings++;
}

/* ---- in ---- */

static void on_greeting(struct busline *l, const redisReply *reply)
{
	if (reply->type == REDIS_REPLY_ERROR) {
		log_warning(SUBJECT("bus"), "Redis refuses", F_BYTES("answer", bytes_of(reply->str, (size_t)reply->len)));
		down(l, ERR_UNAVAILABLE);
		return;
	}
	if (--l->greetings)
		return;
	l->up = true;
	timer_cancel(&l->deadline);
	l->events->on_up(l->context);
}

static void read_replies(struct busline *l)
{
	while (!l->down) {
		void *reply = NULL;
		if (redisReaderGetReply(l->reader, &reply) != REDIS_OK) {
			log_warning(SUBJECT("bus"), "Redis does not speak its protocol", F_TEXT("reason", l->reader->errstr));
			down(l, ERR_MALFORMED);
			return;
		}
		if (!reply)
			return;
		if (!l->up)
			on_greeting(l, reply);
		else
			l->events->on_reply(l->context, reply);
		freeReplyObject(reply);
	}
}

static void on_data(void *context, struct buffer *in)
{
	struct busline *l = context;
	l->heard = clock_mono();
	int fed = redisReaderFeed(l->reader, (const char *)in->at, in->len);
	buffer_consume(in, in->len);
	if (fed == REDIS_OK)
		read_replies(l);
	if (!l->down && (fed != REDIS_OK || l->reader->len > REPLY_CAP))
		down(l, ERR_TOO_BIG);
}

static const struct pipe_events pipe_tells = {.on_data = on_data, .on_end = on_pipe_end};

/* ---- beginning ---- */

static void take_pipe(struct busline *l, struct pipe *pipe)
{
	l->pipe = pipe;
	pipe_set_out_cap(pipe, OUT_CAP);
	loop_defer(l->loop, &l->flushing);
}

static void connect_unix(struct busline *l)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	memcpy(sa.sun_path, l->target->path, sizeof(sa.sun_path));
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0) {
		if (fd >= 0)
			close(fd);
		doom(l, ERR_UNAVAILABLE);
		return;
	}
	take_pipe(l, pipe_open(l->loop, fd, IN_CAP, &pipe_tells, l));
}

static void connect_tcp(struct busline *l, struct endpoint at)
{
	take_pipe(l, pipe_connect(l->loop, at, GREETING_MS, IN_CAP, &pipe_tells, l));
}

/* Connected and non-blocking, or -1. */
static int connect_one(const struct addrinfo *at)
{
	int fd = socket(at->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), wrong = 0, on = 1;
	struct pollfd wait = {.fd = fd, .events = POLLOUT};
	socklen_t len = sizeof(wrong);
	if (fd < 0)
		return -1;
	bool begun = connect(fd, at->ai_addr, at->ai_addrlen) == 0 || (errno == EINPROGRESS && poll(&wait, 1, ADDRESS_MS) == 1);
	if (!begun || getsockopt(fd, SOL_SOCKET, SO_ERROR, &wrong, &len) < 0 || wrong) {
		close(fd);
		return -1;
	}
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return fd;
}

/* One address after the other: `localhost` may lead with ::1 where Redis listens on 127.0.0.1, and a name's first address may be the one that died. */
static void resolve(void *context)
{
	struct resolving *r = context;
	struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV}, *found = NULL;
	char port[8];
	unsigned tried = 0;
	snprintf(port, sizeof(port), "%u", r->port);
	if (getaddrinfo(r->host, port, &hints, &found) != 0)
		return;
	for (struct addrinfo *at = found; at && r->fd < 0 && tried < ADDRESSES_MAX; at = at->ai_next, tried++)
		r->fd = connect_one(at);
	freeaddrinfo(found);
}

static void on_resolved(void *context)
{
	struct resolving *r = context;
	struct busline *l = r->line;
	if (l)
		l->resolving = NULL;
	if (l && r->fd >= 0)
		take_pipe(l, pipe_open(l->loop, r->fd, IN_CAP, &pipe_tells, l));
	else if (l)
		doom(l, ERR_UNAVAILABLE);
	else if (r->fd >= 0)
		close(r->fd);
	free(r);
}

static void start_resolving(struct busline *l)
{
	struct resolving *r = x_zalloc(sizeof(*r));
	r->line = l;
	r->port = l->target->at.port;
	r->fd = -1;
	memcpy(r->host, l->target->host, sizeof(r->host));
	l->resolving = r;
	task_run(l->loop, resolve, on_resolved, r);
}

struct busline *busline_open(struct loop *loop, const struct bus_target *target, const struct busline_events *events, void *context)
{
	struct busline *l = x_alloc(sizeof(*l));
	*l = (struct busline){.loop = loop, .target = target, .events = events, .context = context, .heard = clock_mono()};
	l->reader = redisReaderCreate();
	if (!l->reader)
		abort();
	buffer_init(&l->out, OUT_CAP);
	timer_init(&l->deadline, loop, on_deadline, l);
	timer_set(&l->deadline, GREETING_MS);
	defer_init(&l->flushing, on_flush, l);
	defer_init(&l->freeing, on_freed, l);
	greet(l);
	if (target->path[0])
		connect_unix(l);
	else if (target->host[0])
		start_resolving(l);
	else
		connect_tcp(l, target->at);
	return l;
}

void busline_close(struct busline **at)
{
	struct busline *l = *at;
	*at = NULL;
	if (!l)
		return;
	if (!l->down && l->pipe && l->out.len && pipe_write(l->pipe, &l->out) != ERR_NONE)
		buffer_clear(&l->out);
	l->down = true;
	if (l->resolving)
		l->resolving->line = NULL;
	timer_cancel(&l->deadline);
	defer_cancel(&l->flushing);
	pipe_close(&l->pipe);
	loop_defer(l->loop, &l->freeing);
}

struct mono busline_heard(const struct busline *l)
{
	return l->heard;
}
