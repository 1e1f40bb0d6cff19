#include "fetch.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "pipe.h"
#include "server.h"

/* The server asked lives on the same loop. */
static struct loop *loop;
static struct server *server;
static struct fetcher *fetcher;
static struct listener *deaf;
static char url[128], socket_path[] = "/tmp/fetch_test.XXXXXX";
static unsigned answers, status;
static enum err e;
static char body[256], location[64];
static size_t body_len;
static struct diag why;

static void serve_echo(struct exchange *x)
{
	exchange_reply_text(x, 201,
			    arena_format(x->arena, "%.*s|%.*s|%.*s|%.*s", BYTES_ARG(exchange_header(x, "authorization")),
					 BYTES_ARG(exchange_header(x, "content-type")), BYTES_ARG(exchange_header(x, "x-more")), BYTES_ARG(x->body)));
}

static void serve_large(struct exchange *x)
{
	size_t len = bytes_equal_text(x->query, "more") ? (1 << 20) + 1 : 1 << 20;
	uint8_t *at = arena_alloc(x->arena, len);
	memset(at, 'l', len);
	exchange_reply(x, 200, NULL, bytes_of(at, len));
}

static void serve_redirect(struct exchange *x)
{
	exchange_add_header(x, "Location", BYTES("/echo"));
	exchange_reply_text(x, 302, "there\n");
}

static const struct route TABLE[] = {
	{METHOD_POST, "/echo", DOOR_ADMIN | DOOR_SOCKET, NULL, serve_echo, 0},  {METHOD_GET, "/echo", DOOR_ADMIN | DOOR_SOCKET, NULL, serve_echo, 0},
	{METHOD_PATCH, "/echo", DOOR_ADMIN | DOOR_SOCKET, NULL, serve_echo, 0}, {METHOD_GET, "/large", DOOR_ADMIN, NULL, serve_large, 0},
	{METHOD_GET, "/redirect", DOOR_ADMIN, NULL, serve_redirect, 0},         {0},
};

static void on_answer(void *context, enum err error, unsigned code, struct bytes text)
{
	(void)context;
	answers++;
	e = error;
	status = code;
	body_len = text.len;
	const char *header = fetch_header(fetcher, "LOCATION");
	snprintf(location, sizeof(location), "%s", header ? header : "none");
	snprintf(body, sizeof(body), "%.*s", BYTES_ARG(bytes_take(text, sizeof(body) - 1)));
}

static struct endpoint any_port(void)
{
	return (struct endpoint){.ip = {.family = IP_V4, .byte = {127, 0, 0, 1}}};
}

static void ask(struct fetch_request r, const char *path)
{
	char text[256];
	snprintf(text, sizeof(text), "%s%s", strchr(path, ':') ? "" : url, path);
	answers = 0;
	r.url = text;
	if (!r.method)
		r.method = "GET";
	if (!r.timeout_ms)
		r.timeout_ms = 10000;
	fetch_start(fetcher, &r, on_answer, NULL);
	memset(text, 'x', sizeof(text) - 1);
	assert_int_equal(answers, 0);
	while (!answers)
		loop_turn(loop, 1000);
	loop_turn(loop, 0);
	assert_int_equal(answers, 1);
}

static void answers_come_whole(void **state)
{
	(void)state;
	ask((struct fetch_request){.bearer = "secret", .header = "X-More: m"}, "/echo");
	assert_int_equal(e, ERR_NONE);
	assert_int_equal(status, 201);
	assert_string_equal(body, "Bearer secret||m|");
	ask((struct fetch_request){.method = "POST", .body = BYTES("{\"a\":1}")}, "/echo");
	assert_string_equal(body, "|application/json||{\"a\":1}");
	ask((struct fetch_request){.method = "POST"}, "/echo");
	assert_string_equal(body, "|application/json||");
	ask((struct fetch_request){.method = "PATCH", .content_type = "text/x", .body = BYTES("b")}, "/echo");
	assert_string_equal(body, "|text/x||b");
	ask((struct fetch_request){.method = "HEAD"}, "/echo");
	assert_int_equal(status, 201);
	assert_int_equal(body_len, 0);
	ask((struct fetch_request){0}, "/nothing");
	assert_int_equal(status, 404);
	assert_string_equal(location, "none");
	ask((struct fetch_request){0}, "/redirect");
	assert_int_equal(status, 302);
	assert_string_equal(location, "/echo");
	assert_null(fetch_header(fetcher, "location"));
}

static void unix_sockets_are_asked(void **state)
{
	(void)state;
	ask((struct fetch_request){.unix_socket = socket_path, .method = "POST", .body = BYTES("u")}, "http://local/echo");
	assert_string_equal(body, "|application/json||u");
	ask((struct fetch_request){.unix_socket = "/nowhere/at/all"}, "http://local/echo");
	assert_int_equal(e, ERR_UNAVAILABLE);
}

static void failures_are_told(void **state)
{
	(void)state;
	ask((struct fetch_request){0}, "/large");
	assert_int_equal(e, ERR_NONE);
	assert_int_equal(body_len, 1 << 20);
	ask((struct fetch_request){0}, "/large?more");
	assert_int_equal(e, ERR_TOO_BIG);
	ask((struct fetch_request){0}, "http://127.0.0.1:1/");
	assert_int_equal(e, ERR_UNAVAILABLE);
	assert_string_equal(location, "none");
	ask((struct fetch_request){0}, "file:///etc/passwd");
	assert_int_equal(e, ERR_UNAVAILABLE);
	ask((struct fetch_request){0}, "not a url: at all");
	assert_int_equal(e, ERR_UNAVAILABLE);
	ask((struct fetch_request){.header = "X: a\r\nY: b"}, "/echo");
	assert_int_equal(e, ERR_UNAVAILABLE);
	char silent[64];
	snprintf(silent, sizeof(silent), "http://127.0.0.1:%u/", listener_endpoint(deaf).port);
	ask((struct fetch_request){.timeout_ms = 100}, silent);
	assert_int_equal(e, ERR_TIMEOUT);
}

static void on_again(void *context, enum err error, unsigned code, struct bytes text)
{
	struct fetch_request r = {.method = "GET", .url = url, .timeout_ms = 1000};
	on_answer(context, error, code, text);
	if (fetcher)
		fetch_start(fetcher, &r, on_answer, NULL);
}

static void the_end_answers_what_is_open(void **state)
{
	(void)state;
	char text[256];
	snprintf(text, sizeof(text), "%s/echo", url);
	struct fetch_request r = {.method = "GET", .url = text, .timeout_ms = 1000};
	answers = 0;
	for (unsigned i = 0; i < 5; i++)
		fetch_start(fetcher, &r, on_answer, NULL);
	fetch_start(fetcher, &r, on_again, NULL);
	fetcher_free(&fetcher);
	assert_int_equal(answers, 6);
	assert_int_equal(e, ERR_CANCELED);
	fetcher = fetcher_new(loop);
	answers = 0;
	fetch_start(fetcher, &r, on_again, NULL);
	while (answers < 2)
		loop_turn(loop, 1000);
	assert_int_equal(status, 404);
}

static void on_accept(void *context, int fd)
{
	static int fds[8];
	static unsigned count;
	(void)context;
	/* Never answered, closed at the end of the process. */
	fds[count++ % COUNT_OF(fds)] = fd;
}

static int begin(void **state)
{
	static const struct server_limits LIMITS = {.connections = 32, .request_ms = 2000};
	char at[ENDPOINT_TEXT_MAX];
	(void)state;
	close(mkstemp(socket_path));
	unlink(socket_path);
	loop = loop_new();
	server = server_new(loop, TABLE, &LIMITS, NULL);
	if (server_listen(server, DOOR_ADMIN, any_port(), NULL, NULL, &why) != ERR_NONE ||
	    server_listen_unix(server, DOOR_SOCKET, socket_path, 0600, &why) != ERR_NONE)
		return -1;
	deaf = listener_open(loop, any_port(), on_accept, NULL, &why);
	endpoint_format(at, server_endpoint(server, DOOR_ADMIN));
	snprintf(url, sizeof(url), "http://%s", at);
	fetcher = fetcher_new(loop);
	return 0;
}

static int finish(void **state)
{
	(void)state;
	fetcher_free(&fetcher);
	fetcher_free(&fetcher);
	server_free(&server);
	listener_close(&deaf);
	loop_free(&loop);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_come_whole),
		cmocka_unit_test(unix_sockets_are_asked),
		cmocka_unit_test(failures_are_told),
		cmocka_unit_test(the_end_answers_what_is_open),
	};
	return cmocka_run_group_tests(tests, begin, finish);
}
