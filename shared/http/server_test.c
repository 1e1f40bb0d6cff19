#include "server.h"

#include <setjmp.h>
#include <stdarg.h>

#include <arpa/inet.h>
#include <assert.h>
#include <cmocka.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "expiry.h"
#include "server_handlers.h"
#include "worker.h"

/* The server lives on a worker's loop; each test talks to it from the test's thread through blocking sockets. */
static struct worker *workers;
static struct server *server;
static struct endpoint at, tls_at;
static char folder[] = "/tmp/server_test.XXXXXX", socket_path[128], certificate[128], key[128];
static struct diag why;

/* ---- certificates ---- */

static void write_pair(const char *name, const char *certificate_at, const char *key_at, int64_t seconds)
{
	EVP_PKEY *pair = EVP_EC_gen("P-256");
	X509 *x = X509_new();
	ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
	X509_gmtime_adj(X509_getm_notBefore(x), -10);
	X509_gmtime_adj(X509_getm_notAfter(x), seconds);
	X509_set_pubkey(x, pair);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
	X509_set_issuer_name(x, X509_get_subject_name(x));
	X509_sign(x, pair, EVP_sha256());
	FILE *f = fopen(certificate_at, "w");
	PEM_write_X509(f, x);
	fclose(f);
	f = fopen(key_at, "w");
	PEM_write_PrivateKey(f, pair, NULL, NULL, 0, NULL, NULL);
	fclose(f);
	X509_free(x);
	EVP_PKEY_free(pair);
}

static void write_certificate(const char *name)
{
	write_pair(name, certificate, key, 3600);
}

/* ---- the blocking client ---- */

static int dial(struct endpoint to)
{
	struct sockaddr_storage sa;
	socklen_t len = endpoint_to_sockaddr(to, &sa);
	int fd = socket(sa.ss_family, SOCK_STREAM, 0);
	struct timeval patience = {.tv_sec = 10};
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	assert_int_equal(connect(fd, (struct sockaddr *)&sa, len), 0);
	return fd;
}

static int dial_unix(void)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	memcpy(sa.sun_path, socket_path, strlen(socket_path));
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0)
		return fd;
	close(fd);
	return -1;
}

static char answer[1 << 16];

/* Reads until the peer closes, or until `until` was seen. */
static const char *read_until(int fd, const char *until)
{
	size_t len = 0;
	ssize_t got;
	answer[0] = 0;
	while (len + 1 < sizeof(answer) && (got = recv(fd, answer + len, sizeof(answer) - 1 - len, 0)) > 0) {
		len += (size_t)got;
		answer[len] = 0;
		if (until && strstr(answer, until))
			break;
	}
	return answer;
}

static const char *ask(const char *request)
{
	int fd = dial(at);
	assert_int_equal(send(fd, request, strlen(request), MSG_NOSIGNAL), strlen(request));
	read_until(fd, NULL);
	close(fd);
	return answer;
}

static void say(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

#define CLOSE "Host: x\r\nConnection: close\r\n"

static void assert_says(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("no \"%s\" in: %s", part, text);
}

/* ---- tests ---- */

static void answers_come_whole(void **state)
{
	(void)state;
	assert_says(ask("GET /hello HTTP/1.1\r\n" CLOSE "\r\n"), "HTTP/1.1 200 OK\r\n");
	assert_says(answer, "Content-Length: 6\r\n");
	assert_says(answer, "X-Answer: a value\r\n");
	assert_says(answer, "\r\n\r\nhello\n");
	assert_null(strstr(answer, "X-Injected"));
	assert_says(ask("HEAD /hello HTTP/1.1\r\n" CLOSE "\r\n"), "Content-Length: 6\r\n");
	assert_null(strstr(answer, "hello\n"));
	assert_says(ask("GET /empty HTTP/1.1\r\n" CLOSE "\r\n"), "HTTP/1.1 204 No Content\r\n");
	assert_null(strstr(answer, "Content-Length"));
	assert_says(ask("GET /later HTTP/1.1\r\n" CLOSE "\r\n"), "\r\n\r\nlater\n");
}

static void exchanges_know_what_was_dialled(void **state)
{
	(void)state;
	assert_says(ask("GET /where HTTP/1.1\r\nHost: Control.example.com:8443\r\nConnection: close\r\n\r\n"), "|Control.example.com:8443|http");
	assert_says(ask("GET /where HTTP/1.1\r\nHost: [fd7a::1]\r\nConnection: close\r\n\r\n"), "127.0.0.1:");
	assert_says(answer, "|[fd7a::1]|http");
	assert_says(ask("GET /where HTTP/1.1\r\nHost: a/b?c\r\nConnection: close\r\n\r\n"), "||http");
	assert_says(ask("GET /where HTTP/1.0\r\n\r\n"), "||http");
}

static void requests_arrive_whole(void **state)
{
	(void)state;
	assert_says(ask("POST /echo/a%2fb/x?name=J+%26&name=2 HTTP/1.1\r\n" CLOSE "X-Thing: t\r\nContent-Length: 3\r\n\r\nxyz"), "[a/b][J &][t][xyz]");
	assert_says(ask("POST /echo/1/x HTTP/1.1\r\n" CLOSE "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"), "[1][][][abcde]");
	assert_says(ask("GET /files/a/b%20c HTTP/1.1\r\n" CLOSE "\r\n"), "[a/b c]");
}

static void unknown_paths_and_methods_are_told(void **state)
{
	(void)state;
	assert_says(ask("GET /nothing HTTP/1.1\r\n" CLOSE "\r\n"), "HTTP/1.1 404 Not Found\r\n");
	assert_says(ask("GET /hello/ HTTP/1.1\r\n" CLOSE "\r\n"), "HTTP/1.1 404 Not Found\r\n");
	assert_says(ask("GET /echo//x HTTP/1.1\r\n" CLOSE "\r\n"), "HTTP/1.1 404 Not Found\r\n");
	assert_says(ask("DELETE /echo/1/x HTTP/1.1\r\n" CLOSE "\r\n"), "HTTP/1.1 405 Method Not Allowed\r\n");
	assert_says(answer, "Allow: POST, PUT\r\n");
	assert_says(ask("BREW /hello HTTP/1.1\r\n" CLOSE "\r\n"), "Allow: GET, HEAD\r\n");
	assert_says(ask("POST /echo/%zz/x HTTP/1.1\r\n" CLOSE "Content-Length: 0\r\n\r\n"), "HTTP/1.1 400 Bad Request\r\n");
	assert_says(ask("GET /guarded HTTP/1.1\r\n" CLOSE "\r\n"), "HTTP/1.1 403 Forbidden\r\n");
	assert_says(ask("GET /guarded HTTP/1.1\r\n" CLOSE "X-Word: please\r\n\r\n"), "hello\n");
}

static void bodies_are_capped_by_route(void **state)
{
	(void)state;
	assert_says(ask("POST /small HTTP/1.1\r\n" CLOSE "Content-Length: 10\r\n\r\n0123456789"), "\r\n\r\n10");
	assert_says(ask("POST /small HTTP/1.1\r\n" CLOSE "Content-Length: 11\r\n\r\n0123456789a"), "HTTP/1.1 413 ");
	assert_says(ask("POST /large HTTP/1.1\r\n" CLOSE "Content-Length: 5000000\r\n\r\n"), "HTTP/1.1 413 ");
	assert_says(ask("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), "HTTP/1.1 400 ");
}

static void connections_are_kept(void **state)
{
	(void)state;
	int fd = dial(at);
	for (unsigned i = 0; i < 3; i++) {
		say(fd, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
		read_until(fd, "\r\n\r\nhello\n");
		assert_says(answer, "Connection: keep-alive");
	}
	close(fd);
}

static void streams_are_chunked(void **state)
{
	(void)state;
	assert_says(ask("GET /stream HTTP/1.1\r\n" CLOSE "\r\n"), "transfer-encoding: chunked\r\n");
	assert_says(answer, "a\r\nline 0\n--\n\r\na\r\nline 1\n--\n\r\na\r\nline 2\n--\n\r\n0\r\n\r\n");
	unsigned before = streams_gone;
	int fd = dial(at);
	say(fd, "GET /stream?ever HTTP/1.1\r\nHost: x\r\n\r\n");
	read_until(fd, "line 9");
	close(fd);
	for (unsigned i = 0; i < 500 && streams_gone == before; i++)
		usleep(10000);
	assert_int_equal(streams_gone, before + 1);
}

static void upgrade_over(int fd, ssize_t (*put)(void *, const char *, size_t), const char *(*get)(void *, const char *), void *handle)
{
	static const char REQUEST[] = "POST /up HTTP/1.1\r\nHost: x\r\nUpgrade: SHOUT\r\nConnection: upgrade\r\nContent-Length: 0\r\n\r\nearly;";
	unsigned before = pipes_of_somebody;
	(void)fd;
	assert_true(put(handle, REQUEST, sizeof(REQUEST) - 1) > 0);
	get(handle, "EARLY;");
	assert_int_equal(pipes_of_somebody, before + 1);
	assert_says(answer, "HTTP/1.1 101 Switching Protocols\r\n");
	assert_says(answer, "Upgrade: Shout\r\n");
	assert_says(answer, "Connection: upgrade\r\n");
	assert_null(strstr(answer, "Content-Length"));
	assert_says(answer, "\r\n\r\nwelcome\nEARLY;");
	assert_true(put(handle, "more", 4) > 0);
	get(handle, "MORE");
	/* More than any socket buffer takes at once, read late. */
	char *much = x_alloc(300000);
	memset(much, 'q', 300000);
	for (unsigned sent = 0; sent < 300000; sent += 50000)
		assert_true(put(handle, much + sent, 50000) > 0);
	free(much);
	size_t seen = 0;
	while (seen < 300000) {
		get(handle, "Q");
		seen += strlen(answer);
	}
	assert_int_equal(seen, 300000);
}

static ssize_t put_plain(void *handle, const char *at_, size_t len)
{
	return send(*(int *)handle, at_, len, MSG_NOSIGNAL);
}

static const char *get_plain(void *handle, const char *until)
{
	return read_until(*(int *)handle, until);
}

static void hear_out(ssize_t (*put)(void *, const char *, size_t), const char *(*get)(void *, const char *), void *handle)
{
	static const char REQUEST[] = "POST /talk HTTP/1.1\r\nHost: x\r\nUpgrade: talk\r\nConnection: upgrade\r\nContent-Length: 0\r\n\r\n";
	assert_true(put(handle, REQUEST, sizeof(REQUEST) - 1) > 0);
	usleep(50000);
	get(handle, "\r\n\r\n");
	size_t seen = strlen(strstr(answer, "\r\n\r\n") + 4);
	while (seen < (size_t)TALK_ROUNDS * (FLOOD + WORD)) {
		get(handle, "t");
		assert_true(*answer);
		seen += strlen(answer);
		usleep(300);
	}
	assert_int_equal(seen, (size_t)TALK_ROUNDS * (FLOOD + WORD));
}

static void connections_are_handed_over(void **state)
{
	(void)state;
	assert_says(ask("POST /up HTTP/1.1\r\n" CLOSE "Upgrade: shout\r\nContent-Length: 0\r\n\r\n"), "HTTP/1.1 400 ");
	int fd = dial(at);
	upgrade_over(fd, put_plain, get_plain, &fd);
	int idle = 0;
	socklen_t len = sizeof(idle);
	assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, &len), 0);
	close(fd);
	fd = dial(at);
	hear_out(put_plain, get_plain, &fd);
	close(fd);
}

static ssize_t put_tls(void *handle, const char *text, size_t len)
{
	return SSL_write(handle, text, (int)len);
}

static const char *get_tls(void *handle, const char *until)
{
	size_t len = 0;
	int got;
	answer[0] = 0;
	while (len + 1 < sizeof(answer) && (got = SSL_read(handle, answer + len, (int)(sizeof(answer) - 1 - len))) > 0) {
		len += (size_t)got;
		answer[len] = 0;
		if (until && strstr(answer, until))
			break;
	}
	return answer;
}

static SSL *dial_tls(SSL_CTX *context, int *fd)
{
	*fd = dial(tls_at);
	SSL *ssl = SSL_new(context);
	SSL_set_fd(ssl, *fd);
	assert_int_equal(SSL_connect(ssl), 1);
	return ssl;
}

static void assert_certificate(SSL_CTX *context, const char *name)
{
	char subject[64] = "";
	int fd;
	for (unsigned i = 0; i < 200 && strcmp(subject, name) != 0; i++) {
		SSL *ssl = dial_tls(context, &fd);
		X509_NAME_get_text_by_NID(X509_get_subject_name(SSL_get0_peer_certificate(ssl)), NID_commonName, subject, sizeof(subject));
		SSL_free(ssl);
		close(fd);
		if (strcmp(subject, name) != 0)
			usleep(100000);
	}
	assert_string_equal(subject, name);
}

static void tls_speaks_http1_only_and_reloads(void **state)
{
	(void)state;
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_alpn_protos(context, (const unsigned char *)"\x02h2\x08http/1.1", 12);
	int fd;
	SSL *ssl = dial_tls(context, &fd);
	const unsigned char *chosen;
	unsigned len;
	SSL_get0_alpn_selected(ssl, &chosen, &len);
	assert_int_equal(len, 8);
	put_tls(ssl, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n", strlen("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n"));
	assert_says(get_tls(ssl, "hello\n"), "200 OK");
	put_tls(ssl, "GET /where HTTP/1.1\r\nHost: x\r\n\r\n", strlen("GET /where HTTP/1.1\r\nHost: x\r\n\r\n"));
	assert_says(get_tls(ssl, "https"), "|x|https");
	upgrade_over(fd, put_tls, get_tls, ssl);
	SSL_free(ssl);
	close(fd);
	ssl = dial_tls(context, &fd);
	hear_out(put_tls, get_tls, ssl);
	SSL_free(ssl);
	close(fd);

	assert_certificate(context, "first");
	write_certificate("second");
	assert_certificate(context, "second");
	FILE *f = fopen(certificate, "w");
	fputs("rubbish\n", f);
	fclose(f);
	usleep(6000000);
	assert_certificate(context, "second");
	SSL_CTX_free(context);
}

static void connections_are_counted(void **state)
{
	(void)state;
	int fds[40];
	size_t refused = 0;
	for (unsigned i = 0; i < COUNT_OF(fds); i++)
		fds[i] = dial(at);
	for (unsigned i = 0; i < COUNT_OF(fds); i++) {
		send(fds[i], "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n", 33, MSG_NOSIGNAL);
		read_until(fds[i], "hello\n");
		refused += !*answer;
	}
	assert_int_equal(refused, COUNT_OF(fds) - 32);
	for (unsigned i = 0; i < COUNT_OF(fds); i++)
		close(fds[i]);
	usleep(100000);
	assert_says(ask("GET /hello HTTP/1.1\r\n" CLOSE "\r\n"), "hello\n");
}

/* ---- doors that are shut and opened again ---- */

enum { SHORT = 600, ROUNDS = 3 };

static struct {
	struct server *server;
	struct endpoint at, tls_at;
	char certificate[160], key[160];
	size_t connections;
	atomic_uint done;
} again;

static void on_loop(void (*step)(void *context))
{
	unsigned before = again.done;
	loop_post(workers[0].loop, step, NULL);
	for (unsigned i = 0; i < 1000 && again.done == before; i++)
		usleep(10000);
	assert_int_equal(again.done, before + 1);
}

static void open_again(void *context)
{
	static const struct server_limits LIMITS = {.connections = 32, .request_ms = 2000};
	struct endpoint any = {.ip = {.family = IP_V4, .byte = {127, 0, 0, 1}}};
	(void)context;
	if (!again.server)
		again.server = server_new(workers[0].loop, server_handlers, &LIMITS, NULL);
	if (server_listen(again.server, DOOR_CLIENTS, any, NULL, NULL, &why) ||
	    server_listen(again.server, DOOR_RELAY, any, again.certificate, again.key, &why))
		abort();
	again.at = server_endpoint(again.server, DOOR_CLIENTS);
	again.tls_at = server_endpoint(again.server, DOOR_RELAY);
	again.done++;
}

static void shut_again(void *context)
{
	(void)context;
	server_stop_listening(again.server);
	again.done++;
}

static void free_again(void *context)
{
	(void)context;
	server_free(&again.server);
	again.done++;
}

static void count_again(void *context)
{
	(void)context;
	again.connections = server_connections(again.server);
	again.done++;
}

/* A certificate that no door shows counts no more. */
static void await_expiry(int64_t least, int64_t most)
{
	int64_t now = 0;
	for (unsigned i = 0; i < 1000 && (now < least || now > most); i++) {
		now = metric_sum(&expiry_metrics[EXPIRY_SECONDS], 0);
		usleep(10000);
	}
	assert_in_range(now, least, most);
}

static void await_connections(size_t wanted)
{
	again.connections = wanted + 1;
	for (unsigned i = 0; i < 500 && again.connections != wanted; i++) {
		on_loop(count_again);
		usleep(10000);
	}
	assert_int_equal(again.connections, wanted);
}

static void doors_open_again(void **state)
{
	(void)state;
	snprintf(again.certificate, sizeof again.certificate, "%s/short.pem", folder);
	snprintf(again.key, sizeof again.key, "%s/short.key", folder);
	write_pair("short", again.certificate, again.key, SHORT);
	write_certificate("third");
	for (unsigned i = 0; i < ROUNDS; i++) {
		on_loop(open_again);
		await_expiry(1, SHORT);
		/* Connections are kept, also by doors that were opened again. */
		int fd = dial(again.at);
		say(fd, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
		assert_says(read_until(fd, "\r\n\r\nhello\n"), "Connection: keep-alive");
		/* One is still shaking hands, one is being answered: their doors wait for them. */
		int shaking = dial(again.tls_at), busy = dial(again.at);
		await_connections(3);
		say(busy, "GET /later HTTP/1.1\r\nHost: x\r\n\r\n");
		on_loop(shut_again);
		assert_says(read_until(busy, NULL), "later\n");
		assert_string_equal(read_until(fd, NULL), "");
		close(shaking);
		close(busy);
		close(fd);
		/* Doors that are gone show nothing. */
		await_expiry(SHORT + 1, 3600);
	}
	on_loop(free_again);
	unlink(again.certificate);
	unlink(again.key);
}

static void pipes_are_not_counted(void **state)
{
	(void)state;
	again.certificate[0] = 0;
	on_loop(open_again);
	int fd = dial(again.at);
	await_connections(1);
	say(fd, "POST /talk HTTP/1.1\r\nHost: x\r\nUpgrade: talk\r\nConnection: upgrade\r\nContent-Length: 0\r\n\r\n");
	read_until(fd, "\r\n\r\n");
	await_connections(0);
	int second = dial(again.at);
	await_connections(1);
	close(fd);
	close(second);
	await_connections(0);
	on_loop(free_again);
}

static void unix_sockets_are_doors(void **state)
{
	(void)state;
	struct stat st;
	assert_int_equal(stat(socket_path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0660);
	int fd = dial_unix();
	assert_true(fd >= 0);
	say(fd, "POST /echo/u/x HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
	read_until(fd, "[u]");
	close(fd);
	assert_says(answer, "[u][][][]");
	/* Routes of other doors are not there. */
	fd = dial_unix();
	say(fd, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
	assert_says(read_until(fd, "not found\n"), "404");
	close(fd);
	/* Somebody listens: no second one. */
	assert_int_equal(server_listen_unix(server, DOOR_SOCKET, socket_path, 0660, &why), ERR_EXISTS);
	assert_int_equal(server_listen_unix(server, DOOR_SOCKET, certificate, 0660, &why), ERR_EXISTS);
}

static void slow_heads_end(void **state)
{
	(void)state;
	int fd = dial(at);
	say(fd, "GET /hel");
	assert_string_equal(read_until(fd, NULL), "");
	close(fd);
}

/* ---- frame ---- */

static void on_start(struct worker *w)
{
	static const struct server_limits LIMITS = {.connections = 32, .request_ms = 2000};
	server = server_new(w->loop, server_handlers, &LIMITS, NULL);
	struct endpoint any = {.ip = {.family = IP_V4, .byte = {127, 0, 0, 1}}};
	if (server_listen(server, DOOR_CLIENTS, any, NULL, NULL, &why) != ERR_NONE ||
	    server_listen(server, DOOR_CLIENTS, any, certificate, certificate, &why) == ERR_NONE ||
	    server_listen(server, DOOR_RELAY, any, certificate, key, &why) != ERR_NONE)
		abort();
	at = server_endpoint(server, DOOR_CLIENTS);
	tls_at = server_endpoint(server, DOOR_RELAY);
	/* A left-over socket file is replaced. */
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	memcpy(sa.sun_path, socket_path, strlen(socket_path));
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)))
		abort();
	close(fd);
	if (server_listen_unix(server, DOOR_SOCKET, socket_path, 0660, &why) != ERR_NONE)
		abort();
}

static int begin(void **state)
{
	(void)state;
	if (!mkdtemp(folder))
		return -1;
	snprintf(socket_path, sizeof(socket_path), "%s/s", folder);
	snprintf(certificate, sizeof(certificate), "%s/c.pem", folder);
	snprintf(key, sizeof(key), "%s/k.pem", folder);
	write_certificate("first");
	metric_register(expiry_metrics);
	workers = worker_start(1, on_start, NULL);
	return 0;
}

static void on_finish(void *context)
{
	struct worker *w = context;
	server_free(&server);
	loop_stop(w->loop);
}

static void on_drain(void *context)
{
	(void)context;
	server_stop_listening(server);
}

static int finish(void **state)
{
	(void)state;
	/* Draining ends connections that only wait, not one that is being answered. */
	int idle = dial(at), busy = dial(at);
	say(idle, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
	read_until(idle, "hello\n");
	say(busy, "GET /later HTTP/1.1\r\nHost: x\r\n\r\n");
	usleep(20000);
	/* The server ends under an idle connection, a half request, an answer that is owed, a stream, and a pipe. */
	int fds[5] = {dial(at), dial(at), dial(at), dial(at), dial(at)};
	say(fds[1], "GET /hel");
	say(fds[2], "GET /later HTTP/1.1\r\nHost: x\r\n\r\n");
	say(fds[3], "GET /stream?ever HTTP/1.1\r\nHost: x\r\n\r\n");
	say(fds[4], "POST /up HTTP/1.1\r\nHost: x\r\nUpgrade: shout\r\nConnection: upgrade\r\nContent-Length: 0\r\n\r\n");
	read_until(fds[4], "welcome\n");
	close(fds[4]);
	loop_post(workers[0].loop, on_drain, NULL);
	assert_string_equal(read_until(idle, NULL), "");
	assert_says(read_until(busy, NULL), "later\n");
	close(idle);
	close(busy);
	loop_post(workers[0].loop, on_finish, &workers[0]);
	usleep(100000);
	worker_join(&workers, 1);
	for (unsigned i = 0; i < 4; i++)
		close(fds[i]);
	unlink(certificate);
	unlink(key);
	unlink(socket_path);
	rmdir(folder);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_come_whole),
		cmocka_unit_test(exchanges_know_what_was_dialled),
		cmocka_unit_test(requests_arrive_whole),
		cmocka_unit_test(unknown_paths_and_methods_are_told),
		cmocka_unit_test(bodies_are_capped_by_route),
		cmocka_unit_test(connections_are_kept),
		cmocka_unit_test(streams_are_chunked),
		cmocka_unit_test(connections_are_handed_over),
		cmocka_unit_test(tls_speaks_http1_only_and_reloads),
		cmocka_unit_test(connections_are_counted),
		cmocka_unit_test(doors_open_again),
		cmocka_unit_test(pipes_are_not_counted),
		cmocka_unit_test(unix_sockets_are_doors),
		cmocka_unit_test(slow_heads_end),
	};
	return cmocka_run_group_tests(tests, begin, finish);
}
