#include "tunnel.h"

#include <setjmp.h>
#include <stdarg.h>

#include <assert.h>
#include <cmocka.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server.h"
#include "websocket.h"
#include "worker.h"

/* GET /shout: a WebSocket that says everything in upper case; "bye" makes the server end it, "lots" makes it say 100,000 bytes. */
static struct worker *workers;
static struct server *server;
static struct endpoint at;
static atomic_int shouts;

struct shout {
	struct tunnel tunnel;
};

static void on_data(void *context, struct buffer *in)
{
	struct shout *s = context;
	struct buffer out;
	bool lots = bytes_equal_text(buffer_bytes(in), "lots"), bye = bytes_equal_text(buffer_bytes(in), "bye");
	size_t len = lots ? 100000 : in->len;
	buffer_init(&out, 1 << 20);
	uint8_t *to = buffer_reserve(&out, len);
	for (size_t i = 0; i < len; i++)
		to[i] = (uint8_t)(lots ? 'L' : in->at[i] >= 'a' && in->at[i] <= 'z' ? in->at[i] - 32 : in->at[i]);
	buffer_filled(&out, len);
	buffer_consume(in, in->len);
	assert(tunnel_write(&s->tunnel, &out) == ERR_NONE);
	if (bye) {
		tunnel_pause(&s->tunnel);
		tunnel_close(&s->tunnel);
		free(s);
		shouts--;
	}
}

static void on_written(void *context)
{
	(void)context;
}

static void on_end(void *context, enum err why)
{
	struct shout *s = context;
	(void)why;
	tunnel_close(&s->tunnel);
	free(s);
	shouts--;
}

static const struct pipe_events EVENTS = {on_data, on_written, on_end};

static void on_pipe(void *context, struct pipe *pipe)
{
	struct shout *s = x_zalloc(sizeof(*s));
	shouts++;
	tunnel_open(&s->tunnel, context, pipe, true, &EVENTS, s);
}

static void serve_shout(struct exchange *x)
{
	bool last = exchange_query(x, "last").at;
	if (websocket_asked(x, "shouting"))
		websocket_take(x, "shouting", BYTES("WELCOME"), last, 1 << 16, on_pipe, x->loop);
}

static const struct route TABLE[] = {{METHOD_GET, "/shout", DOOR_CLIENTS, NULL, serve_shout, 0}, {0}};

/* ---- the client ---- */

static uint8_t heard[1 << 18];
static size_t heard_len;

static int dial(void)
{
	struct sockaddr_storage sa;
	socklen_t len = endpoint_to_sockaddr(at, &sa);
	struct timeval patience = {.tv_sec = 10};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	assert_int_equal(connect(fd, (struct sockaddr *)&sa, len), 0);
	heard_len = 0;
	return fd;
}

static void say(int fd, const void *what, size_t len)
{
	assert_int_equal(send(fd, what, len, MSG_NOSIGNAL), len);
}

/* Until `len` bytes were heard in all, or the end. */
static void hear(int fd, size_t len)
{
	ssize_t got;
	while (heard_len < len && (got = recv(fd, heard + heard_len, len - heard_len, 0)) > 0)
		heard_len += (size_t)got;
}

static void hear_head(int fd)
{
	while (!memmem(heard, heard_len, "\r\n\r\n", 4)) {
		size_t before = heard_len;
		hear(fd, before + 1);
		assert_true(heard_len > before);
	}
	heard[heard_len] = 0;
}

static void assert_head(const char *part)
{
	if (!strstr((const char *)heard, part))
		fail_msg("no \"%s\" in: %s", part, (const char *)heard);
}

#define HEAD(path) "GET " path " HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n"
#define KEY "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define PROTO "Sec-WebSocket-Protocol: other, shouting\r\n"
#define VERSION "Sec-WebSocket-Version: 13\r\n"
#define ALL(path) HEAD(path) KEY PROTO VERSION "Origin: https://elsewhere.example\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
#define WELCOME "\x82\x07WELCOME"

static int open_shout(void)
{
	int fd = dial();
	say(fd, ALL("/shout"), strlen(ALL("/shout")));
	hear_head(fd);
	assert_head("HTTP/1.1 101 ");
	heard_len = 0;
	hear(fd, sizeof(WELCOME) - 1);
	assert_memory_equal(heard, WELCOME, sizeof(WELCOME) - 1);
	heard_len = 0;
	return fd;
}

#define SAY(fd, text) say(fd, text, sizeof(text) - 1)

static void assert_hears(int fd, const char *what, size_t len)
{
	heard_len = 0;
	hear(fd, len);
	assert_int_equal(heard_len, len);
	assert_memory_equal(heard, what, len);
}

static void assert_ends(int fd, const char *what, size_t len)
{
	heard_len = 0;
	hear(fd, sizeof(heard));
	assert_int_equal(heard_len, len);
	assert_memory_equal(heard, what, len);
	close(fd);
}

/* ---- tests ---- */

static void handshakes_are_answered(void **state)
{
	(void)state;
	int fd = dial();
	say(fd, ALL("/shout"), strlen(ALL("/shout")));
	hear_head(fd);
	assert_head("HTTP/1.1 101 ");
	assert_head("Upgrade: websocket\r\n");
	assert_head("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n");
	assert_head("Sec-WebSocket-Protocol: shouting\r\n");
	assert_null(strstr((char *)heard, "Extensions"));
	close(fd);
}

static void bad_handshakes_are_refused(void **state)
{
	(void)state;
	static const struct {
		const char *request, *answer;
	} TRIALS[] = {
		{HEAD("/shout") KEY VERSION "\r\n", " 400 "},
		{HEAD("/shout") KEY VERSION "Sec-WebSocket-Protocol: shout\r\n\r\n", " 400 "},
		{HEAD("/shout") PROTO VERSION "\r\n", " 400 "},
		{HEAD("/shout") PROTO VERSION "Sec-WebSocket-Key: c2hvcnQ=\r\n\r\n", " 400 "},
		{HEAD("/shout") PROTO VERSION "Sec-WebSocket-Key: ?\r\n\r\n", " 400 "},
		{HEAD("/shout") KEY PROTO "\r\n", " 426 "},
		{HEAD("/shout") KEY PROTO "Sec-WebSocket-Version: 8\r\n\r\n", " 426 "},
		{"GET /shout HTTP/1.1\r\nHost: x\r\n" KEY PROTO VERSION "\r\n", " 400 "},
		{"GET /shout HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: h2c\r\n" KEY PROTO VERSION "\r\n", " 400 "},
	};
	for (size_t i = 0; i < COUNT_OF(TRIALS); i++) {
		int fd = dial();
		say(fd, TRIALS[i].request, strlen(TRIALS[i].request));
		hear_head(fd);
		assert_head(TRIALS[i].answer);
		close(fd);
	}
}

/* "abcd" masked with 11223344 is "\x70\x40\x50\x20". */
#define MASK "\x11\x22\x33\x44"

static void bytes_go_both_ways(void **state)
{
	(void)state;
	int fd = open_shout();
	SAY(fd, "\x82\x84" MASK "\x70\x40\x50\x20");
	assert_hears(fd,
		     "\x82\x04"
		     "ABCD",
		     6);
	/* In pieces, and several at once. */
	static const char FRAME[] = "\x82\x84" MASK "\x70\x40\x50\x20";
	for (unsigned i = 0; i < sizeof(FRAME) - 1; i++) {
		say(fd, FRAME + i, 1);
		usleep(2000);
	}
	for (size_t got = 0; got < 4;) {
		heard_len = 0;
		hear(fd, 2);
		assert_int_equal(heard[0], 0x82);
		got += heard[1];
		hear(fd, 2 + heard[1]);
	}
	SAY(fd, "\x89\x82" MASK "\x70\x40\x82\x82" MASK "\x70\x40");
	assert_hears(fd,
		     "\x82\x02"
		     "AB\x8a\x02"
		     "ab",
		     8);
	SAY(fd, "\x88\x82" MASK "\x12\xca");
	assert_ends(fd, "\x88\x02\x03\xe8", 4);
}

static void much_comes_in_small_messages(void **state)
{
	(void)state;
	int fd = open_shout();
	size_t got = 0;
	SAY(fd, "\x82\x84" MASK "\x7d\x4d\x47\x37");
	while (got < 100000) {
		heard_len = 0;
		hear(fd, 4);
		assert_int_equal(heard[0], 0x82);
		size_t len = (size_t)heard[2] << 8 | heard[3];
		assert_true(heard[1] == 126 && len <= 4092);
		hear(fd, 4 + len);
		assert_int_equal(heard[4], 'L');
		got += len;
	}
	assert_int_equal(got, 100000);
	SAY(fd, "\x82\x83" MASK "\x73\x5b\x56");
	assert_ends(fd,
		    "\x82\x03"
		    "BYE\x88\x02\x03\xe9",
		    9);
}

static void breaches_are_told_and_end(void **state)
{
	(void)state;
	static const struct {
		const char *at;
		size_t len;
		const char *answer;
	} TRIALS[] = {
		{"\x81\x84" MASK "\x70\x40\x50\x20", 10, "\x88\x02\x03\xeb"},
		{"\x82\x04"
		 "abcd",
		 6, "\x88\x02\x03\xea"},
		{"\x82\xff\0\0\0\0\0\1\0\1", 10, "\x88\x02\x03\xf1"},
		{"\xf2\x84", 2, "\x88\x02\x03\xea"},
		{"\x80\x84", 2, "\x88\x02\x03\xea"},
	};
	for (size_t i = 0; i < COUNT_OF(TRIALS); i++) {
		int fd = open_shout();
		say(fd, TRIALS[i].at, TRIALS[i].len);
		assert_ends(fd, TRIALS[i].answer, 4);
	}
}

static void ping_floods_hold_nothing(void **state)
{
	(void)state;
	int fd = open_shout();
	struct buffer flood;
	buffer_init(&flood, 4 << 20);
	for (unsigned i = 0; i < 20000; i++)
		assert_int_equal(buffer_add(&flood, BYTES("\x89\x84" MASK "\x70\x40\x50\x20")), ERR_NONE);
	assert_int_equal(buffer_add(&flood, BYTES("\x82\x83" MASK "\x73\x5b\x56")), ERR_NONE);
	say(fd, flood.at, flood.len);
	buffer_clear(&flood);
	heard_len = 0;
	hear(fd, sizeof(heard));
	/* Fewer pongs than pings, and an end in order. */
	assert_true(heard_len < 20000 * 6);
	assert_memory_equal(heard + heard_len - 4, "\x88\x02\x03\xe9", 4);
	close(fd);
}

static void lost_connections_are_told(void **state)
{
	(void)state;
	int fd = open_shout();
	SAY(fd, "\x82\x84" MASK "\x70");
	close(fd);
	for (unsigned i = 0; i < 200 && shouts; i++)
		usleep(10000);
	assert_int_equal(shouts, 0);
}

/* ---- frame ---- */

static void on_start(struct worker *w)
{
	struct diag why = {0};
	struct endpoint any = {.ip = {.family = IP_V4, .byte = {127, 0, 0, 1}}};
	server = server_new(w->loop, TABLE, &(struct server_limits){.connections = 64, .request_ms = 2000}, NULL);
	if (server_listen(server, DOOR_CLIENTS, any, NULL, NULL, &why))
		abort();
	at = server_endpoint(server, DOOR_CLIENTS);
}

static int begin(void **state)
{
	(void)state;
	workers = worker_start(1, on_start, NULL);
	return 0;
}

static void on_finish(void *context)
{
	struct worker *w = context;
	server_free(&server);
	loop_stop(w->loop);
}

static int finish(void **state)
{
	(void)state;
	loop_post(workers[0].loop, on_finish, &workers[0]);
	worker_join(&workers, 1);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(handshakes_are_answered),      cmocka_unit_test(bad_handshakes_are_refused), cmocka_unit_test(bytes_go_both_ways),
		cmocka_unit_test(much_comes_in_small_messages), cmocka_unit_test(breaches_are_told_and_end),  cmocka_unit_test(ping_floods_hold_nothing),
		cmocka_unit_test(lost_connections_are_told),
	};
	return cmocka_run_group_tests(tests, begin, finish);
}
