#include "greeting.h"

#include <setjmp.h>
#include <stdarg.h>

#include <arpa/inet.h>
#include <assert.h>
#include <cmocka.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "selfsigned.h"
#include "server.h"
#include "server_handlers.h"
#include "worker.h"

/* A server whose proxies are 127.0.0.9 and 10.0.0.0/8: a plain door and a TLS door that expect PROXY headers, and one that does not. */
static struct worker *workers;
static struct server *server;
static struct endpoint plain_at, tls_at, open_at;
static char folder[] = "/tmp/greeting_test.XXXXXX", certificate[128], key[128];

#define PROXY "127.0.0.9"
#define STRANGER "127.0.0.5"
#define HELLO "PROXY TCP4 1.2.3.4 127.0.0.2 99 80\r\n"
#define ASK "GET /where HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
#define BINARY "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x14\1\2\3\4\5\6\7\x8\0\x63\1\xbb\x20\0\5\1\0\0\0\0"
#define LOCAL "\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"

static char answer[1 << 16];

static int dial(const char *from, struct endpoint to)
{
	struct sockaddr_storage sa;
	struct sockaddr_in source = {.sin_family = AF_INET};
	socklen_t len = endpoint_to_sockaddr(to, &sa);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	struct timeval patience = {.tv_sec = 10};
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	inet_pton(AF_INET, from, &source.sin_addr);
	assert_int_equal(bind(fd, (struct sockaddr *)&source, sizeof(source)), 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&sa, len), 0);
	return fd;
}

static void say_bytes(int fd, const void *at, size_t len)
{
	assert_int_equal(send(fd, at, len, MSG_NOSIGNAL), len);
}

static void say(int fd, const char *text)
{
	say_bytes(fd, text, strlen(text));
}

static const char *hear(int fd)
{
	size_t len = 0;
	ssize_t got;
	while (len + 1 < sizeof(answer) && (got = recv(fd, answer + len, sizeof(answer) - 1 - len, 0)) > 0)
		len += (size_t)got;
	answer[len] = 0;
	close(fd);
	return answer;
}

static const char *ask(const char *from, struct endpoint to, const char *what)
{
	int fd = dial(from, to);
	say(fd, what);
	return hear(fd);
}

static void assert_says(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("no \"%s\" in: %s", part, text);
}

static void proxies_are_believed(void **state)
{
	(void)state;
	assert_says(ask(PROXY, plain_at, HELLO ASK "\r\n"), "1.2.3.4:99|x|http");
	assert_says(ask(PROXY, plain_at, "PROXY TCP6 2001:db8::1 ::1 99 80\r\n" ASK "\r\n"), "[2001:db8::1]:99|x|http");
	assert_says(ask(PROXY, plain_at, "PROXY UNKNOWN\r\n" ASK "\r\n"), PROXY ":");
	int fd = dial(PROXY, plain_at);
	say_bytes(fd, BINARY, sizeof(BINARY) - 1);
	say(fd, ASK "\r\n");
	assert_says(hear(fd), "1.2.3.4:99|x|https");
	fd = dial(PROXY, plain_at);
	say_bytes(fd, LOCAL, sizeof(LOCAL) - 1);
	say(fd, ASK "\r\n");
	assert_says(hear(fd), PROXY ":");
}

static void headers_come_in_pieces(void **state)
{
	(void)state;
	int fd = dial(PROXY, plain_at);
	for (const char *c = HELLO "GET /wh"; *c; c++) {
		say_bytes(fd, c, 1);
		usleep(1000);
	}
	say(fd, "ere HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
	assert_says(hear(fd), "1.2.3.4:99|x|http");
}

static void strangers_are_refused(void **state)
{
	(void)state;
	/* A header where none is believed is no HTTP; without it a stranger is who he is. */
	assert_null(strstr(ask(STRANGER, plain_at, HELLO ASK "\r\n"), "200 OK"));
	int fd = dial(STRANGER, plain_at);
	say_bytes(fd, BINARY, sizeof(BINARY) - 1);
	say(fd, ASK "\r\n");
	assert_null(strstr(hear(fd), "200 OK"));
	assert_says(ask(STRANGER, plain_at, ASK "\r\n"), STRANGER ":");
	assert_null(strstr(ask(PROXY, open_at, HELLO ASK "\r\n"), "200 OK"));
	assert_says(ask(PROXY, open_at, ASK "\r\n"), PROXY ":");
}

static void nonsense_is_closed(void **state)
{
	(void)state;
	static const char *const NONSENSE[] = {ASK "\r\n", "PROXY TCP4 1.2.3.4\r\n", "PROXY TCP5 1 2 3 4\r\n" ASK "\r\n", "\x16\x03\x01\x02\x01"};
	for (size_t i = 0; i < COUNT_OF(NONSENSE); i++)
		assert_string_equal(ask(PROXY, plain_at, NONSENSE[i]), "");
}

static void the_slow_are_given_up(void **state)
{
	(void)state;
	int silent = dial(PROXY, plain_at), slow = dial(PROXY, plain_at);
	say(slow, "PROXY TCP4 1.2.");
	assert_string_equal(hear(silent), "");
	assert_string_equal(hear(slow), "");
	assert_says(ask(PROXY, plain_at, HELLO ASK "\r\n"), "1.2.3.4:99");
}

static void forwarded_headers_count_from_proxies_only(void **state)
{
	(void)state;
#define SAID "X-Forwarded-For: 6.6.6.6, 1.2.3.4\r\nX-Forwarded-For: 10.0.0.7\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: a.example\r\n\r\n"
	assert_says(ask(PROXY, open_at, ASK SAID), "1.2.3.4:0|a.example|https");
	assert_says(ask(STRANGER, open_at, ASK SAID), STRANGER ":");
	assert_says(answer, "|x|http");
	assert_null(strstr(answer, "https"));
	/* First the PROXY header: whoever it names is judged. */
	assert_says(ask(PROXY, plain_at, "PROXY TCP4 10.1.1.1 127.0.0.2 99 80\r\n" ASK SAID), "1.2.3.4:0|a.example|https");
	assert_says(ask(PROXY, plain_at, HELLO ASK SAID), "1.2.3.4:99|x|http");
	assert_says(ask(PROXY, open_at, ASK "X-Forwarded-For: nonsense\r\n\r\n"), PROXY ":");
	assert_says(ask(PROXY, open_at, ASK "X-Real-IP: 1.2.3.4\r\nTrue-Client-IP: 1.2.3.4\r\nForwarded: for=1.2.3.4\r\n\r\n"), PROXY ":");
}

/* Whatever a client put in front, the proxy's own line is the last. */
static void bombs_hide_nobody(void **state)
{
	(void)state;
	char *request = x_alloc(1 << 20), *end = request;
	end += sprintf(end, ASK);
	for (unsigned i = 0; i < 60; i++)
		end += sprintf(end, "X-Forwarded-For: %03000u\r\n", i);
	sprintf(end, "X-Forwarded-For: 1.2.3.4\r\n\r\n");
	assert_says(ask(PROXY, open_at, request), "1.2.3.4:0|x|http");
	end = request + sprintf(request, ASK);
	for (unsigned i = 0; i < 500; i++)
		end += sprintf(end, "X-Forwarded-For: 6.6.6.6\r\n");
	sprintf(end, "\r\n");
	assert_null(strstr(ask(PROXY, open_at, request), "200 OK"));
	free(request);
}

static void tls_comes_after_the_header(void **state)
{
	(void)state;
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());
	static const char *const FIRST[] = {HELLO, ""};
	for (unsigned i = 0; i < COUNT_OF(FIRST); i++) {
		int fd = dial(PROXY, tls_at);
		SSL *ssl = SSL_new(context);
		say(fd, FIRST[i]);
		SSL_set_fd(ssl, fd);
		bool shaken = SSL_connect(ssl) == 1;
		assert_int_equal(shaken, *FIRST[i] != 0);
		if (shaken) {
			assert_int_equal(SSL_write(ssl, ASK "\r\n", (int)strlen(ASK "\r\n")), strlen(ASK "\r\n"));
			int len = 0, got;
			while ((got = SSL_read(ssl, answer + len, (int)sizeof(answer) - 1 - len)) > 0)
				len += got;
			answer[len] = 0;
			assert_says(answer, "1.2.3.4:99|x|https");
		}
		SSL_free(ssl);
		close(fd);
	}
	SSL_CTX_free(context);
}

/* ---- frame ---- */

static void listen_on(enum door door, uint8_t last, bool tls, bool proxied, struct endpoint *bound)
{
	struct diag why = {0};
	struct endpoint to = {.ip = {.family = IP_V4, .byte = {127, 0, 0, last}}};
	if (server_listen(server, door, to, tls ? certificate : NULL, tls ? key : NULL, &why))
		abort();
	if (proxied)
		server_expect_proxyline(server, to);
	*bound = server_endpoint(server, door);
}

static void on_start(struct worker *w)
{
	struct server_limits limits = {.connections = 32, .request_ms = 2000};
	struct diag why = {0};
	if (trusted_parse(BYTES(PROXY ", 10.0.0.0/8"), &limits.proxies, &why))
		abort();
	server = server_new(w->loop, server_handlers, &limits, NULL);
	listen_on(DOOR_CLIENTS, 2, false, true, &plain_at);
	listen_on(DOOR_RELAY, 3, true, true, &tls_at);
	listen_on(DOOR_CLIENTS | DOOR_RELAY, 4, false, false, &open_at);
}

static void write_file(const char *path, const struct buffer *text)
{
	FILE *f = fopen(path, "w");
	if (!f || fwrite(text->at, 1, text->len, f) != text->len || fclose(f))
		abort();
}

static int begin(void **state)
{
	struct buffer pem, secret;
	(void)state;
	if (!mkdtemp(folder))
		return -1;
	snprintf(certificate, sizeof(certificate), "%s/c.pem", folder);
	snprintf(key, sizeof(key), "%s/k.pem", folder);
	buffer_init(&pem, 1 << 16);
	buffer_init(&secret, 1 << 16);
	if (selfsigned_make("127.0.0.3", &pem, &secret))
		return -1;
	write_file(certificate, &pem);
	write_file(key, &secret);
	buffer_clear(&pem);
	buffer_clear(&secret);
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
	/* The server ends under one that has not greeted yet. */
	int silent = dial(PROXY, plain_at);
	say(silent, "PROXY TC");
	usleep(20000);
	loop_post(workers[0].loop, on_finish, &workers[0]);
	worker_join(&workers, 1);
	close(silent);
	unlink(certificate);
	unlink(key);
	rmdir(folder);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(proxies_are_believed),  cmocka_unit_test(headers_come_in_pieces),
		cmocka_unit_test(strangers_are_refused), cmocka_unit_test(nonsense_is_closed),
		cmocka_unit_test(the_slow_are_given_up), cmocka_unit_test(forwarded_headers_count_from_proxies_only),
		cmocka_unit_test(bombs_hide_nobody),     cmocka_unit_test(tls_comes_after_the_header),
	};
	return cmocka_run_group_tests(tests, begin, finish);
}
