#include "server.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "clock.h"
#include "expiry.h"
#include "front.h"
#include "greeting.h"
#include "log.h"
#include "pipe.h"

enum {
	NS_PER_S = 1000000000,
	LOOK_MS = 5000, /* how often certificate files are looked at */
	UNIX_BACKLOG = 1024,
	GREETING_MS = 5000,
	COMPLAINT_MS = 60000, /* how often malformed headers of proxies are logged */
	FAREWELL_TURNS = 200,
	FAREWELL_WAIT_MS = 5,
	BODY_DEFAULT = 1 << 20,
	BODY_SLACK = 64 << 10
};

struct server_door {
	struct list link;
	struct server *server;
	enum door door;
	struct listener *listener;
	struct endpoint asked, at;
	char *path; /* unix socket */
	bool tls_on, proxied;
	struct front_tls tls;
	struct timer look;
	h2o_accept_ctx_t accept;
	struct list connections;
	size_t connection_count, handed_over; /* all, and those of them that are pipes now */
	bool full_logged;
	struct defer ending;
};

struct server {
	struct loop *loop;
	const struct route *table;
	struct server_limits limits;
	void *program;
	h2o_globalconf_t config;
	h2o_context_t context;
	struct bytes shown_last; /* DER */
	struct list doors, open; /* open: exchanges that are not answered, and streams */
	int64_t complained_ms;
};

struct front_handler {
	h2o_handler_t super;
	struct server *server;
};

static int on_request(h2o_handler_t *super, h2o_req_t *req);

static size_t largest_body(const struct route *table)
{
	size_t most = BODY_DEFAULT;
	for (const struct route *r = table; r->path; r++)
		if (r->body_max > most)
			most = r->body_max;
	return most;
}

struct server *server_new(struct loop *loop, const struct route *table, const struct server_limits *limits, void *program)
{
	struct server *s = x_zalloc(sizeof(*s));
	s->loop = loop;
	s->table = table;
	s->limits = *limits;
	s->program = program;
	list_init(&s->doors);
	list_init(&s->open);
	h2o_config_init(&s->config);
	s->config.server_name = (h2o_iovec_t){0};
	/* More than allowed: each route's own cap is judged in on_request, which says it in the table's words; far past it h2o refuses by itself. */
	s->config.max_request_entity_size = largest_body(table) + BODY_SLACK;
	s->config.http1.req_timeout = s->config.handshake_timeout = (uint64_t)limits->request_ms;
	s->config.http1.upgrade_to_http2 = 0;
	h2o_hostconf_t *host = h2o_config_register_host(&s->config, h2o_iovec_init(H2O_STRLIT("default")), 65535);
	h2o_pathconf_t *path = h2o_config_register_path(host, "/", 0);
	struct front_handler *handler = (struct front_handler *)h2o_create_handler(path, sizeof(*handler));
	handler->super.on_req = on_request;
	handler->server = s;
	h2o_context_init(&s->context, loop_h2o(loop), &s->config);
	return s;
}

/* ---- requests ---- */

/* A trusted proxy that writes nonsense is set up wrongly; that is said now and then, not per request. */
static void complain(struct server *s, const struct front_connection *c, const char *what)
{
	char text[ENDPOINT_TEXT_MAX];
	int64_t now = clock_mono().ms;
	if (s->complained_ms && now - s->complained_ms < COMPLAINT_MS)
		return;
	s->complained_ms = now;
	endpoint_format(text, front_peer(c));
	log_warning(SUBJECT("door"), what, F_TEXT("proxy", text), F_UINT("door", c->door->door));
}

static int on_request(h2o_handler_t *super, h2o_req_t *req)
{
	struct server *s = ((struct front_handler *)super)->server;
	struct front_connection *c = req->conn->callbacks->get_socket(req->conn)->on_close.data;
	struct front_exchange *f = front_begin(req, &s->open);
	c->served = true;
	f->x.loop = s->loop;
	f->x.program = s->program;
	f->x.owner = req;
	f->x.door = c->door->door;
	if (s->limits.proxies.count && !front_believe(f, c, &s->limits.proxies))
		complain(s, c, "malformed X-Forwarded headers ignored");
	if (f->x.body.len > dispatch_body_max(s->table, f->x.door, f->x.method, f->x.path))
		dispatch_refuse(s->table, &f->x, 413);
	else
		dispatch(s->table, &f->x);
	return 0;
}

/* ---- connections ---- */

/* Connections look at what their door accepted them by: one that is shut goes with its last. */
static void end_deserted(struct server_door *d)
{
	if (!d->listener && !d->connection_count)
		loop_defer(d->server->loop, &d->ending);
}

static void on_socket_closed(void *context)
{
	struct front_connection *c = context;
	struct server_door *d = c->door;
	list_remove(&c->link);
	if (d) {
		d->connection_count--;
		d->handed_over -= c->upgraded;
		end_deserted(d);
	}
	free(c);
}

void front_hand_over(struct front_connection *c)
{
	c->upgraded = true;
	if (c->door)
		c->door->handed_over++;
}

static bool is_full(struct server_door *d)
{
	const struct server_limits *limits = &d->server->limits;
	bool full = d->connection_count >= limits->connections;
	if (full && !d->full_logged)
		log_warning(SUBJECT("door"), "connection limit reached", F_UINT("door", d->door), F_UINT("limit", limits->connections));
	d->full_logged = full;
	return full;
}

static bool may_come(struct server_door *d)
{
	const struct server *s = d->server;
	bool may = !is_full(d) && (!s->limits.may_come || d->path || s->limits.may_come(s->program, d->door));
	const struct metric *metric = may ? s->limits.accepted : s->limits.rejected;
	if (metric && d->door == s->limits.counted)
		metric_add(metric, 1);
	return may;
}

static void on_greeted(void *context, enum err e, const struct proxyline *line)
{
	struct front_connection *c = context;
	if (e || !c->door) {
		if (e != ERR_CLOSED && c->door)
			complain(c->door->server, c, e == ERR_TIMEOUT ? "no PROXY header from a proxy" : "malformed PROXY header from a proxy");
		h2o_socket_close(c->sock);
		return;
	}
	c->told = line->known;
	c->peer = line->source;
	c->secure = line->secure;
	h2o_accept(&c->door->accept, c->sock);
}

static void on_accept(void *context, int fd)
{
	struct server_door *d = context;
	if (!may_come(d)) {
		close(fd);
		return;
	}
	struct front_connection *c = x_alloc(sizeof(*c));
	*c = (struct front_connection){.door = d};
	list_init(&c->link);
	list_append(&d->connections, &c->link);
	d->connection_count++;
	c->sock = h2o_evloop_socket_create(loop_h2o(d->server->loop), fd, H2O_SOCKET_FLAG_IS_ACCEPTED_CONNECTION);
	c->sock->on_close.cb = on_socket_closed;
	c->sock->on_close.data = c;
	if (d->proxied && trusted_has(&d->server->limits.proxies, front_peer(c).ip))
		greeting_begin(d->server->loop, c->sock, GREETING_MS, on_greeted, c);
	else
		h2o_accept(&d->accept, c->sock);
}

/* ---- doors ---- */

static void door_free(struct server_door *d)
{
	listener_close(&d->listener);
	list_remove(&d->link);
	defer_cancel(&d->ending);
	if (d->tls_on) {
		timer_cancel(&d->look);
		front_tls_close(&d->tls);
		expiry_look(clock_wall().ns / NS_PER_S);
	}
	free(d->path);
	free(d);
}

static void on_deserted(void *context)
{
	door_free(context);
}

static struct server_door *door_new(struct server *s, enum door door)
{
	struct server_door *d = x_zalloc(sizeof(*d));
	d->server = s;
	d->door = door;
	d->accept = (h2o_accept_ctx_t){.ctx = &s->context, .hosts = s->config.hosts};
	list_init(&d->connections);
	list_init(&d->link);
	defer_init(&d->ending, on_deserted, d);
	return d;
}

static void door_opened(struct server_door *d)
{
	list_append(&d->server->doors, &d->link);
	d->server->context.shutdown_requested = 0;
}

static void on_look(void *context)
{
	struct server_door *d = context;
	front_tls_refresh(&d->tls);
	d->accept.ssl_ctx = d->tls.context;
	expiry_look(clock_wall().ns / NS_PER_S);
	timer_set(&d->look, LOOK_MS);
}

enum err server_listen(struct server *s, enum door door, struct endpoint at, const char *certificate, const char *key, struct diag *why)
{
	struct server_door *d = door_new(s, door);
	if (certificate && *certificate) {
		enum err e = front_tls_open(&d->tls, certificate, key ? key : "", s->shown_last, why);
		if (e != ERR_NONE) {
			door_free(d);
			return e;
		}
		d->tls_on = true;
		d->accept.ssl_ctx = d->tls.context;
		timer_init(&d->look, s->loop, on_look, d);
		timer_set(&d->look, LOOK_MS);
		expiry_look(clock_wall().ns / NS_PER_S);
	}
	d->listener = listener_open(s->loop, at, on_accept, d, why);
	if (!d->listener) {
		door_free(d);
		return ERR_IO;
	}
	d->asked = at;
	d->at = listener_endpoint(d->listener);
	door_opened(d);
	return ERR_NONE;
}

void server_show_certificate(struct server *s, struct bytes der)
{
	s->shown_last = der;
}

size_t server_connections(const struct server *s)
{
	size_t count = 0;
	LIST_EACH(&s->doors, d, struct server_door, link)
		count += d->connection_count - d->handed_over;
	return count;
}

void server_set_connections(struct server *s, size_t connections)
{
	s->limits.connections = connections;
}

void server_expect_proxyline(struct server *s, struct endpoint at)
{
	LIST_EACH(&s->doors, d, struct server_door, link)
		if (!d->path && endpoint_equal(d->asked, at))
			d->proxied = true;
}

/* A socket file that nobody listens on is left over from a process that was killed. */
static enum err clear_stale(const struct sockaddr_un *sa, struct diag *why)
{
	struct stat st;
	if (lstat(sa->sun_path, &st) < 0)
		return errno == ENOENT ? ERR_NONE : diag_set(why, ERR_IO, "cannot look at %s: %s", sa->sun_path, strerror(errno));
	if (!S_ISSOCK(st.st_mode))
		return diag_set(why, ERR_EXISTS, "%s is there already and is no socket", sa->sun_path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int answer = fd < 0 || connect(fd, (const struct sockaddr *)sa, sizeof(*sa)) == 0 ? 0 : errno;
	if (fd >= 0)
		close(fd);
	if (answer != ECONNREFUSED)
		return diag_set(why, ERR_EXISTS, "somebody listens on %s already", sa->sun_path);
	if (unlink(sa->sun_path) < 0)
		return diag_set(why, ERR_IO, "cannot remove %s: %s", sa->sun_path, strerror(errno));
	return ERR_NONE;
}

static int listen_unix(const struct sockaddr_un *sa, unsigned mode, struct diag *why)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	/* Nobody can connect before listen(), so the mode is in force in time. */
	if (fd >= 0 && bind(fd, (const struct sockaddr *)sa, sizeof(*sa)) == 0 && chmod(sa->sun_path, mode) == 0 && listen(fd, UNIX_BACKLOG) == 0)
		return fd;
	diag_set(why, ERR_IO, "cannot listen on %s: %s", sa->sun_path, strerror(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}

enum err server_listen_unix(struct server *s, enum door door, const char *path, unsigned mode, struct diag *why)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof(sa.sun_path))
		return diag_set(why, ERR_TOO_BIG, "the path of a socket has at most %zu bytes: %s", sizeof(sa.sun_path) - 1, path);
	memcpy(sa.sun_path, path, strlen(path));
	enum err e = clear_stale(&sa, why);
	if (e != ERR_NONE)
		return e;
	int fd = listen_unix(&sa, mode, why);
	if (fd < 0)
		return ERR_IO;
	struct server_door *d = door_new(s, door);
	d->path = x_strdup(path);
	d->listener = listener_adopt(s->loop, fd, on_accept, d);
	door_opened(d);
	return ERR_NONE;
}

struct endpoint server_endpoint(const struct server *s, enum door door)
{
	LIST_EACH(&s->doors, d, struct server_door, link)
		if (d->door == door && !d->path && d->listener)
			return d->at;
	return (struct endpoint){0};
}

/* ---- end ---- */

/* Connections that wait for a further request read their end; one that is answering does so after its answer. Fresh ones may still ask. */
static void end_idle(struct server_door *d)
{
	LIST_EACH(&d->connections, c, struct front_connection, link)
		if (c->served && !c->upgraded)
			shutdown(h2o_socket_get_fd(c->sock), SHUT_RD);
}

void server_stop_listening(struct server *s)
{
	LIST_EACH(&s->doors, d, struct server_door, link) {
		if (!d->listener)
			continue;
		listener_empty(d->listener);
		listener_close(&d->listener);
		if (d->path)
			unlink(d->path);
		if (d->tls_on)
			timer_cancel(&d->look);
		end_idle(d);
		end_deserted(d);
	}
	/* Not by h2o_context_request_shutdown, which starts a timer of its HTTP/2 that cannot be ended. */
	s->context.shutdown_requested = 1;
}

/* Breaks every connection that is still HTTP; false when there was none. */
static bool break_connections(struct server *s)
{
	bool any = false;
	LIST_EACH(&s->doors, d, struct server_door, link) {
		LIST_EACH(&d->connections, c, struct front_connection, link) {
			if (c->upgraded)
				continue;
			shutdown(h2o_socket_get_fd(c->sock), SHUT_RDWR);
			any = true;
		}
	}
	return any;
}

/* Connections that became pipes live on without us. */
static void release_doors(struct server *s)
{
	LIST_EACH(&s->doors, d, struct server_door, link) {
		LIST_EACH(&d->connections, c, struct front_connection, link) {
			c->door = NULL;
			list_remove(&c->link);
		}
		door_free(d);
	}
}

void server_free(struct server **at)
{
	struct server *s = *at;
	*at = NULL;
	if (!s)
		return;
	struct list cut;
	struct front_exchange *f;
	list_init(&cut);
	server_stop_listening(s);
	while ((f = LIST_FIRST(&s->open, struct front_exchange, link))) {
		list_remove(&f->link);
		list_append(&cut, &f->link);
		front_cut(f);
	}
	bool left = true;
	for (unsigned i = 0; i < FAREWELL_TURNS && (left = break_connections(s)); i++)
		(void)h2o_evloop_run(loop_h2o(s->loop), i ? FAREWELL_WAIT_MS : 0);
	/* Whoever still owes an answer gives it to nobody, and ends its exchange by that. */
	while ((f = LIST_FIRST(&cut, struct front_exchange, link)))
		list_remove(&f->link);
	release_doors(s);
	if (left) {
		/* h2o aborts when it is disposed under its connections. */
		log_error(SUBJECT("server"), "connections do not end, their memory is given up");
		return;
	}
	h2o_multithread_queue_t *queue = s->context.queue;
	h2o_context_dispose(&s->context);
	h2o_config_dispose(&s->config);
	/* h2o_multithread_destroy_queue leaves the queue's own memory. */
	free(queue);
	free(s);
}
