#include "daemon_door.h"

#include <stdlib.h>

#include "log.h"
#include "metric.h"
#include "selfstat.h"
#include "server.h"

enum { CONNECTIONS = 64, REQUEST_MS = 10000, TEXT_MAX = 8 << 20 };

struct daemon_door {
	struct server *server; /* NULL: closed */
};

static void serve_live(struct exchange *x)
{
	exchange_reply_text(x, 200, "alive\n");
}

static void serve_ready(struct exchange *x)
{
	const char *reason = daemon_not_ready();
	if (reason)
		exchange_reply_text(x, 503, arena_format(x->arena, "not ready: %s\n", reason));
	else
		exchange_reply_text(x, 200, "ready\n");
}

static void on_health(void *context, bool good, const char *text)
{
	struct exchange *x = context;
	exchange_reply_text(x, good ? 200 : 503, arena_format(x->arena, "%s%s\n", good ? "" : "not healthy: ", text));
}

static void serve_health(struct exchange *x)
{
	daemon_ask_health(x->loop, on_health, x);
}

static void reply_buffer(struct exchange *x, enum err e, const char *type, struct buffer *out)
{
	if (e == ERR_NONE)
		exchange_reply(x, 200, type, buffer_bytes(out));
	else
		exchange_reply_error(x, ERR_BUG, NULL);
	buffer_clear(out);
}

static void serve_metrics(struct exchange *x)
{
	struct buffer out;
	buffer_init(&out, TEXT_MAX);
	enum err e = metric_write(&out);
	if (!e)
		e = selfstat_write(&out);
	reply_buffer(x, e, "text/plain; version=0.0.4; charset=utf-8", &out);
}

static void serve_debug(struct exchange *x)
{
	struct buffer out;
	buffer_init(&out, TEXT_MAX);
	enum err e = daemon_describe(&out);
	reply_buffer(x, e, "application/json", &out);
}

static const struct route TABLE[] = {
	{METHOD_GET, "/livez", DOOR_OPERATIONS, NULL, serve_live, 0},     {METHOD_GET, "/readyz", DOOR_OPERATIONS, NULL, serve_ready, 0},
	{METHOD_GET, "/healthz", DOOR_OPERATIONS, NULL, serve_health, 0}, {METHOD_GET, "/metrics", DOOR_OPERATIONS, NULL, serve_metrics, 0},
	{METHOD_GET, "/debug", DOOR_OPERATIONS, NULL, serve_debug, 0},    {0},
};

struct daemon_door *daemon_door_open(struct loop *loop, const char *at, struct diag *why)
{
	static const struct server_limits LIMITS = {.connections = CONNECTIONS, .request_ms = REQUEST_MS};
	struct daemon_door *door = x_zalloc(sizeof(*door));
	struct endpoint endpoint;
	char text[ENDPOINT_TEXT_MAX];
	if (!*at)
		return door;
	enum err e = endpoint_parse(bytes_text(at), &endpoint);
	door->server = server_new(loop, TABLE, &LIMITS, NULL);
	if (e == ERR_NONE)
		e = server_listen(door->server, DOOR_OPERATIONS, endpoint, NULL, NULL, why);
	if (e != ERR_NONE) {
		daemon_door_close(&door);
		return NULL;
	}
	endpoint_format(text, server_endpoint(door->server, DOOR_OPERATIONS));
	log_info(SUBJECT("daemon"), "operations door", F_TEXT("at", text));
	return door;
}

void daemon_door_close(struct daemon_door **at)
{
	struct daemon_door *door = *at;
	*at = NULL;
	if (!door)
		return;
	server_free(&door->server);
	free(door);
}
