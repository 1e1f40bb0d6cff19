#include "front.h"

#include <assert.h>
#include <stdlib.h>

/* Lives in h2o's request pool: tells when h2o disposes of a request that still has an exchange. */
struct front_tether {
	struct front_exchange *f;
};

static const struct carrier CARRIER;

struct front_exchange *front_of(struct exchange *x)
{
	return x->carrier == &CARRIER ? OWNER_OF(x, struct front_exchange, x) : NULL;
}

const char *front_reason(unsigned status)
{
	static const struct {
		unsigned status;
		const char *reason;
	} REASONS[] = {
		{101, "Switching Protocols"},
		{200, "OK"},
		{201, "Created"},
		{202, "Accepted"},
		{204, "No Content"},
		{301, "Moved Permanently"},
		{302, "Found"},
		{303, "See Other"},
		{304, "Not Modified"},
		{307, "Temporary Redirect"},
		{308, "Permanent Redirect"},
		{400, "Bad Request"},
		{401, "Unauthorized"},
		{403, "Forbidden"},
		{404, "Not Found"},
		{405, "Method Not Allowed"},
		{409, "Conflict"},
		{410, "Gone"},
		{412, "Precondition Failed"},
		{413, "Payload Too Large"},
		{415, "Unsupported Media Type"},
		{422, "Unprocessable Entity"},
		{426, "Upgrade Required"},
		{429, "Too Many Requests"},
		{500, "Internal Server Error"},
		{501, "Not Implemented"},
		{502, "Bad Gateway"},
		{503, "Service Unavailable"},
		{504, "Gateway Timeout"},
	};
	for (size_t i = 0; i < COUNT_OF(REASONS); i++)
		if (REASONS[i].status == status)
			return REASONS[i].reason;
	return status < 400 ? "OK" : "Error";
}

/* ---- beginning and end ---- */

static void free_now(void *context)
{
	struct front_exchange *f = context;
	struct arena *arena = f->x.arena;
	arena_free(&arena);
}

void front_end(struct front_exchange *f)
{
	list_remove(&f->link);
	defer_cancel(&f->telling);
	loop_defer(f->x.loop, &f->ending);
}

h2o_req_t *front_untie(struct front_exchange *f)
{
	h2o_req_t *req = f->req;
	f->req = NULL;
	if (f->tether)
		f->tether->f = NULL;
	f->tether = NULL;
	return req;
}

static void release_sent(struct front_exchange *f)
{
	for (size_t i = 0; i < f->sending_count; i++)
		body_drop(&f->sending[i]);
	free(f->sending);
	f->sending = NULL;
	f->sending_count = 0;
}

static void lose(struct front_exchange *f, enum err why)
{
	f->x.gone = true;
	if (!f->streaming)
		return;
	release_sent(f);
	if (!f->end_wanted && f->events->on_gone)
		f->events->on_gone(f->context, why);
	front_end(f);
}

static void on_request_disposed(void *context)
{
	struct front_tether *tether = context;
	struct front_exchange *f = tether->f;
	if (!f)
		return;
	f->tether = NULL;
	f->req = NULL;
	lose(f, ERR_CLOSED);
}

static void on_tell_room(void *context)
{
	struct front_exchange *f = context;
	if (!f->in_flight && !f->end_wanted && f->req && f->events->on_room)
		f->events->on_room(f->context);
}

static enum method parse_method(h2o_iovec_t text)
{
	static const char *const NAMES[] = {[METHOD_GET] = "GET", [METHOD_HEAD] = "HEAD",   [METHOD_POST] = "POST",
					    [METHOD_PUT] = "PUT", [METHOD_PATCH] = "PATCH", [METHOD_DELETE] = "DELETE"};
	for (unsigned m = METHOD_GET; m < COUNT_OF(NAMES); m++)
		if (bytes_equal_text(bytes_of(text.base, text.len), NAMES[m]))
			return m;
	return METHOD_OTHER;
}

static struct endpoint peer_of(const h2o_req_t *req)
{
	struct sockaddr_storage sa = {0};
	if (!req->conn->callbacks->get_peername(req->conn, (struct sockaddr *)&sa))
		return (struct endpoint){0};
	return endpoint_from_sockaddr((struct sockaddr *)&sa);
}

/* Handlers build URLs of it: what is no host name with a port is nothing. */
static struct bytes host_of(struct arena *arena, const h2o_req_t *req)
{
	struct bytes host = bytes_of(req->input.authority.base, req->input.authority.len);
	/* A request of HTTP/1.0 that names none gets the name of our h2o configuration. */
	if (req->hostconf && host.at == (const uint8_t *)req->hostconf->authority.hostport.base)
		return BYTES_NONE;
	return exchange_host_ok(host) ? arena_copy(arena, host) : BYTES_NONE;
}

struct front_exchange *front_begin(h2o_req_t *req, struct list *open)
{
	struct arena *arena = arena_new();
	struct front_exchange *f = ARENA_NEW(arena, struct front_exchange);
	struct bytes query, path = bytes_split(arena_copy(arena, bytes_of(req->input.path.base, req->input.path.len)), '?', &query);
	h2o_socket_t *sock = req->conn->callbacks->get_socket(req->conn);
	f->x = (struct exchange){
		.carrier = &CARRIER,
		.arena = arena,
		.method = parse_method(req->input.method),
		.path = path,
		.query = query,
		.body = arena_copy(arena, bytes_of(req->entity.base, req->entity.len)),
		.peer = peer_of(req),
		.host = host_of(arena, req),
		.secure = sock->ssl != NULL,
		.tls = sock->ssl ? h2o_socket_get_ssl_protocol_version(sock) : NULL,
		.id = random_number(),
	};
	f->req = req;
	f->tether = h2o_mem_alloc_shared(&req->pool, sizeof(*f->tether), on_request_disposed);
	f->tether->f = f;
	defer_init(&f->ending, free_now, f);
	defer_init(&f->telling, on_tell_room, f);
	list_init(&f->link);
	list_append(open, &f->link);
	return f;
}

struct endpoint front_peer(const struct front_connection *c)
{
	struct sockaddr_storage sa = {0};
	if (!h2o_socket_getpeername(c->sock, (struct sockaddr *)&sa))
		return (struct endpoint){0};
	return endpoint_from_sockaddr((struct sockaddr *)&sa);
}

/* What counts stands on the right: a stranger may have sent anything before it. */
static struct bytes tail(struct bytes b)
{
	return b.len > FORWARDED_LEN_MAX ? bytes_skip(b, b.len - FORWARDED_LEN_MAX) : b;
}

/* All lines of one name: proxies add a line as well as a value. */
static struct bytes join_lines(struct front_exchange *f, const char *name)
{
	struct bytes whole = BYTES_NONE;
	const h2o_headers_t *headers = &f->req->headers;
	for (ssize_t i = -1; (i = h2o_find_header_by_str(headers, name, strlen(name), i)) >= 0;) {
		struct bytes line = tail(bytes_of(headers->entries[i].value.base, headers->entries[i].value.len));
		whole = whole.at ? tail(bytes_text(arena_format(f->x.arena, "%.*s,%.*s", BYTES_ARG(whole), BYTES_ARG(line)))) : line;
	}
	return whole;
}

bool front_believe(struct front_exchange *f, const struct front_connection *c, const struct trusted *proxies)
{
	struct origin origin = {f->x.peer, f->x.host, f->x.secure};
	if (c->told) {
		origin.peer = c->peer;
		origin.secure |= c->secure;
	}
	bool ok = true;
	if (trusted_has(proxies, origin.peer.ip)) {
		struct forwarded said = {join_lines(f, "x-forwarded-for"), join_lines(f, "x-forwarded-proto"), join_lines(f, "x-forwarded-host")};
		ok = forwarded_apply(proxies, &said, &origin);
	}
	f->x.peer = origin.peer;
	f->x.host = arena_copy(f->x.arena, origin.host);
	f->x.secure = origin.secure;
	return ok;
}

/* ---- whole answers ---- */

static struct bytes get_header(const struct exchange *x, const char *name)
{
	const struct front_exchange *f = OWNER_OF(x, struct front_exchange, x);
	if (!f->req)
		return BYTES_NONE;
	ssize_t i = h2o_find_header_by_str(&f->req->headers, name, strlen(name), -1);
	if (i >= 0)
		return bytes_of(f->req->headers.entries[i].value.base, f->req->headers.entries[i].value.len);
	/* h2o keeps these two apart from the others. */
	if (!strcmp(name, "host"))
		return bytes_of(f->req->input.authority.base, f->req->input.authority.len);
	if (!strcmp(name, "upgrade"))
		return bytes_of(f->req->upgrade.base, f->req->upgrade.len);
	return BYTES_NONE;
}

void front_add_header(h2o_req_t *req, const char *name, struct bytes value)
{
	size_t len = strlen(name);
	h2o_iovec_t lower = h2o_strdup(&req->pool, name, len), as_given = h2o_strdup(&req->pool, name, len);
	h2o_iovec_t copy = h2o_strdup(&req->pool, value.len ? (const char *)value.at : "", value.len);
	h2o_strtolower(lower.base, lower.len);
	h2o_add_header_by_str(&req->pool, &req->res.headers, lower.base, lower.len, 1, as_given.base, copy.base, copy.len);
}

static void add_header(struct exchange *x, const char *name, struct bytes value)
{
	struct front_exchange *f = OWNER_OF(x, struct front_exchange, x);
	if (f->req)
		front_add_header(f->req, name, value);
}

static void begin_answer(h2o_req_t *req, unsigned status, const char *type)
{
	req->res.status = (int)status;
	req->res.reason = front_reason(status);
	if (type)
		front_add_header(req, "Content-Type", bytes_text(type));
}

static bool has_body(unsigned status)
{
	return status != 204 && status != 304;
}

static void send_whole(h2o_req_t *req, unsigned status, const char *type, struct bytes body)
{
	static h2o_generator_t nothing_more;
	begin_answer(req, status, type);
	h2o_iovec_t copy = {0};
	if (has_body(status))
		req->res.content_length = body.len;
	if (has_body(status) && body.len && !h2o_memis(req->input.method.base, req->input.method.len, H2O_STRLIT("HEAD"))) {
		copy.base = h2o_mem_alloc_pool(&req->pool, body.len);
		copy.len = body.len;
		memcpy(copy.base, body.at, body.len);
	}
	h2o_start_response(req, &nothing_more);
	h2o_send(req, &copy, copy.len != 0, H2O_SEND_STATE_FINAL);
}

static void reply(struct exchange *x, unsigned status, const char *type, struct bytes body)
{
	struct front_exchange *f = OWNER_OF(x, struct front_exchange, x);
	h2o_req_t *req = front_untie(f);
	if (req)
		send_whole(req, status, type, body);
	front_end(f);
}

/* ---- streams ---- */

static void finish(struct front_exchange *f)
{
	bool broken = f->abort_wanted;
	h2o_req_t *req = front_untie(f);
	front_end(f);
	if (req)
		h2o_send(req, NULL, 0, broken ? H2O_SEND_STATE_ERROR : H2O_SEND_STATE_FINAL);
}

static void on_proceed(h2o_generator_t *generator, h2o_req_t *req)
{
	struct front_exchange *f = OWNER_OF(generator, struct front_exchange, generator);
	(void)req;
	f->in_flight = false;
	release_sent(f);
	if (f->end_wanted)
		finish(f);
	else
		on_tell_room(f);
}

static void on_tell_gone(void *context)
{
	lose(context, ERR_CLOSED);
}

static void stream(struct exchange *x, unsigned status, const char *type, const struct exchange_events *events, void *context)
{
	struct front_exchange *f = OWNER_OF(x, struct front_exchange, x);
	f->events = events;
	f->context = context;
	f->streaming = true;
	if (!f->req) {
		defer_init(&f->telling, on_tell_gone, f);
		loop_defer(x->loop, &f->telling);
		return;
	}
	begin_answer(f->req, status, type);
	f->generator.proceed = on_proceed;
	f->in_flight = true;
	h2o_start_response(f->req, &f->generator);
	h2o_send(f->req, NULL, 0, H2O_SEND_STATE_IN_PROGRESS);
}

static bool ready(const struct exchange *x)
{
	const struct front_exchange *f = OWNER_OF(x, struct front_exchange, x);
	return f->streaming && f->req && !f->in_flight && !f->end_wanted;
}

static void send_pieces(struct exchange *x, struct body *const *pieces, size_t count)
{
	struct front_exchange *f = OWNER_OF(x, struct front_exchange, x);
	size_t used = 0;
	assert(ready(x));
	h2o_iovec_t *vectors = x_alloc(sizeof(*vectors) * (count + 1));
	f->sending = x_alloc(sizeof(*f->sending) * (count + 1));
	for (size_t i = 0; i < count; i++) {
		if (!pieces[i]->len)
			continue;
		vectors[used] = h2o_iovec_init(pieces[i]->at, pieces[i]->len);
		f->sending[used++] = body_take(pieces[i]);
	}
	f->sending_count = used;
	if (used) {
		f->in_flight = true;
		h2o_send(f->req, vectors, used, H2O_SEND_STATE_IN_PROGRESS);
	} else {
		/* h2o takes an empty send for the end. */
		release_sent(f);
		loop_defer(x->loop, &f->telling);
	}
	free(vectors);
}

static void end(struct exchange *x, bool broken)
{
	struct front_exchange *f = OWNER_OF(x, struct front_exchange, x);
	assert(f->streaming && !f->end_wanted);
	f->end_wanted = true;
	f->abort_wanted = broken;
	if (!f->in_flight)
		finish(f);
}

void front_cut(struct front_exchange *f)
{
	if (!f->req)
		return;
	/* What is in flight is broken by the closing of its socket. */
	if (f->streaming && f->in_flight)
		return;
	h2o_req_t *req = front_untie(f);
	if (f->streaming) {
		lose(f, ERR_CANCELED);
		h2o_send(req, NULL, 0, H2O_SEND_STATE_ERROR);
		return;
	}
	f->x.gone = true;
	req->http1_is_persistent = 0;
	send_whole(req, 503, "text/plain; charset=utf-8", BYTES("shutting down\n"));
}

static const struct carrier CARRIER = {
	.header = get_header,
	.add_header = add_header,
	.reply = reply,
	.stream = stream,
	.ready = ready,
	.send = send_pieces,
	.end = end,
};
