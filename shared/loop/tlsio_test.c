#include "tlsio.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* A pipe on the loop that echoes, by pipe_write or by pipe_send; at the other end OpenSSL on a thread, with blocking calls. */
static struct loop *loop;
static struct pipe *echo;
static SSL_CTX *server;
static enum err ended;
static bool by_send;
static atomic_bool far_done, far_said, near_waits;
static bool hesitates;         /* near_waits until far_said */
static bool waits, has_waited; /* to send something when the pipe is not busy */

enum { ROUNDS = 40, LARGEST = 200000 };

static SSL_CTX *context_with_certificate(void)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x = X509_new();
	SSL_CTX *c = SSL_CTX_new(TLS_server_method());
	assert_true(key && x && c);
	X509_gmtime_adj(X509_getm_notBefore(x), 0);
	X509_gmtime_adj(X509_getm_notAfter(x), 3600);
	assert_true(X509_set_pubkey(x, key) && X509_sign(x, key, EVP_sha256()));
	assert_true(SSL_CTX_use_certificate(c, x) && SSL_CTX_use_PrivateKey(c, key));
	SSL_CTX_set_mode(c, SSL_MODE_RELEASE_BUFFERS);
	X509_free(x);
	EVP_PKEY_free(key);
	return c;
}

static void send_byte(void)
{
	struct iovec piece = {"x", 1};
	waits = false;
	pipe_send(echo, &piece, 1);
}

static void on_written(void *context)
{
	(void)context;
	if (waits)
		send_byte();
}

/* The first byte is waited with; whatever comes then comes together. */
static void hesitate(struct buffer *in)
{
	bool first = *in->at == 'h';
	buffer_consume(in, in->len);
	atomic_store(&near_waits, true);
	for (unsigned i = 0; first && i < 100000 && !atomic_load(&far_said); i++)
		usleep(100);
	if (first)
		return;
	waits = has_waited = pipe_busy(echo);
	if (!waits)
		send_byte();
}

static void on_data(void *context, struct buffer *in)
{
	(void)context;
	if (hesitates) {
		hesitate(in);
		return;
	}
	if (by_send && !pipe_busy(echo)) {
		struct iovec pieces[2] = {{in->at, in->len / 2}, {in->at + in->len / 2, in->len - in->len / 2}};
		if (pieces[1].iov_len > 30000)
			pieces[1].iov_len = 30000;
		if (pieces[0].iov_len > 30000)
			pieces[0].iov_len = 30000, pieces[1].iov_len = 0;
		pipe_send(echo, pieces, 2);
		buffer_consume(in, pieces[0].iov_len + pieces[1].iov_len);
		if (in->len)
			pipe_kick(echo);
		return;
	}
	struct buffer out;
	buffer_init(&out, SIZE_MAX);
	assert_int_equal(buffer_add(&out, buffer_bytes(in)), ERR_NONE);
	buffer_consume(in, in->len);
	assert_int_equal(pipe_write(echo, &out), ERR_NONE);
}

static void on_end(void *context, enum err why)
{
	(void)context;
	ended = why;
	pipe_close(&echo);
}

static const struct pipe_events EVENTS = {.on_data = on_data, .on_written = on_written, .on_end = on_end};

static void on_secured(h2o_socket_t *sock, const char *err)
{
	assert_null(err);
	echo = pipe_adopt(loop, sock, 4 * LARGEST, &EVENTS, NULL);
}

/* What the far end does once TLS stands; runs on its thread. */
struct far {
	int fd;
	void (*talk)(SSL *ssl, int fd);
	bool good;
};

static void *run_far(void *context)
{
	struct far *f = context;
	SSL_CTX *c = SSL_CTX_new(TLS_client_method());
	SSL *ssl = SSL_new(c);
	struct timeval patience = {.tv_sec = 20};
	setsockopt(f->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	SSL_set_fd(ssl, f->fd);
	f->good = SSL_connect(ssl) == 1;
	if (f->good)
		f->talk(ssl, f->fd);
	SSL_free(ssl);
	SSL_CTX_free(c);
	close(f->fd);
	atomic_store(&far_done, true);
	return NULL;
}

static void converse(void (*talk)(SSL *ssl, int fd))
{
	int pair[2];
	pthread_t thread;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	struct far far = {.fd = pair[1], .talk = talk};
	loop = loop_new();
	server = context_with_certificate();
	ended = ERR_NONE;
	echo = NULL;
	atomic_store(&far_done, false);
	h2o_socket_t *sock = h2o_evloop_socket_create(loop_h2o(loop), pair[0], 0);
	h2o_socket_ssl_handshake(sock, server, NULL, on_secured);
	assert_int_equal(pthread_create(&thread, NULL, run_far, &far), 0);
	for (unsigned i = 0; i < 100000 && !(ended && atomic_load(&far_done)); i++)
		loop_turn(loop, 10);
	pthread_join(thread, NULL);
	assert_true(far.good);
	assert_int_not_equal(ended, ERR_NONE);
	loop_turn(loop, 0);
	loop_free(&loop);
	SSL_CTX_free(server);
}

static bool talk_good;

static bool there_and_back(SSL *ssl, uint8_t *out, uint8_t *in, size_t len, size_t each)
{
	for (size_t i = 0; i < len; i++)
		out[i] = (uint8_t)(i * 31 + len);
	for (size_t at = 0; at < len; at += each)
		if (SSL_write(ssl, out + at, (int)(len - at < each ? len - at : each)) <= 0)
			return false;
	for (size_t at = 0; at < len;) {
		int got = SSL_read(ssl, in + at, (int)(len - at));
		if (got <= 0)
			return false;
		at += (size_t)got;
	}
	return !memcmp(in, out, len);
}

/* Small records, large ones, many in one read, and keys that change on both sides in between. */
static void talk_much(SSL *ssl, int fd)
{
	uint8_t *out = x_alloc(LARGEST), *in = x_alloc(LARGEST);
	(void)fd;
	talk_good = true;
	for (unsigned i = 0; i < ROUNDS && talk_good; i++) {
		if (i % 5 == 4)
			talk_good = SSL_key_update(ssl, i % 2 ? SSL_KEY_UPDATE_REQUESTED : SSL_KEY_UPDATE_NOT_REQUESTED) == 1;
		talk_good = talk_good && there_and_back(ssl, out, in, i % 4 == 3 ? 100000 : 1 + i * 997, i % 3 ? 1200 : 16384);
	}
	SSL_shutdown(ssl);
	free(out);
	free(in);
}

static void records_go_both_ways(void **state)
{
	(void)state;
	by_send = false;
	converse(talk_much);
	assert_true(talk_good);
	assert_int_equal(ended, ERR_CLOSED);
}

static void records_are_sent_from_where_they_lie(void **state)
{
	(void)state;
	by_send = true;
	converse(talk_much);
	assert_true(talk_good);
	assert_int_equal(ended, ERR_CLOSED);
}

/* A byte has come back: the records are the pipe's now. */
static bool meet(SSL *ssl)
{
	uint8_t byte = 'm';
	return SSL_write(ssl, &byte, 1) == 1 && SSL_read(ssl, &byte, 1) == 1 && byte == 'm';
}

static void talk_forged(SSL *ssl, int fd)
{
	uint8_t record[5 + 40] = {23, 3, 3, 0, 40}, byte;
	talk_good = meet(ssl) && send(fd, record, sizeof record, MSG_NOSIGNAL) == sizeof record && SSL_read(ssl, &byte, 1) <= 0;
}

static void forged_records_end(void **state)
{
	(void)state;
	by_send = false;
	converse(talk_forged);
	assert_true(talk_good);
	assert_int_equal(ended, ERR_IO);
}

/* A record of which a part never comes: the end of the stream is the end. */
static void talk_half(SSL *ssl, int fd)
{
	static const uint8_t half[] = {23, 3, 3, 0, 100, 1, 2, 3};
	talk_good = meet(ssl) && send(fd, half, sizeof half, MSG_NOSIGNAL) == sizeof half;
}

static void half_a_record_is_the_end(void **state)
{
	(void)state;
	converse(talk_half);
	assert_true(talk_good);
	assert_int_equal(ended, ERR_CLOSED);
}

/* New keys are asked for without end, and no answer is read. */
static void talk_keys(SSL *ssl, int fd)
{
	enum { ASKED = 60000 };
	(void)fd;
	talk_good = meet(ssl);
	for (unsigned i = 0; i < ASKED && SSL_key_update(ssl, SSL_KEY_UPDATE_REQUESTED) == 1 && SSL_do_handshake(ssl) == 1; i++)
		;
}

static void answers_that_nobody_reads_end(void **state)
{
	(void)state;
	by_send = false;
	converse(talk_keys);
	assert_true(talk_good);
	assert_int_equal(ended, ERR_TOO_BIG);
}

/* Who finds the pipe busy with TLS's own answers is told when it is not. */
static void talk_in_between(SSL *ssl, int fd)
{
	uint8_t byte = 'h';
	(void)fd;
	talk_good = SSL_write(ssl, &byte, 1) == 1;
	for (unsigned i = 0; i < 100000 && !atomic_load(&near_waits); i++)
		usleep(100);
	/* OpenSSL answers the first one with what is written next. */
	for (unsigned i = 0; i < 4 && talk_good; i++)
		talk_good = SSL_key_update(ssl, SSL_KEY_UPDATE_REQUESTED) == 1 && SSL_do_handshake(ssl) == 1;
	talk_good = talk_good && SSL_write(ssl, "b", 1) == 1;
	atomic_store(&far_said, true);
	talk_good = talk_good && SSL_read(ssl, &byte, 1) == 1 && byte == 'x';
}

static void answers_of_tls_are_written_as_well(void **state)
{
	(void)state;
	hesitates = true;
	converse(talk_in_between);
	hesitates = false;
	assert_true(talk_good);
	assert_true(has_waited);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(records_go_both_ways),
					   cmocka_unit_test(records_are_sent_from_where_they_lie),
					   cmocka_unit_test(forged_records_end),
					   cmocka_unit_test(half_a_record_is_the_end),
					   cmocka_unit_test(answers_that_nobody_reads_end),
					   cmocka_unit_test(answers_of_tls_are_written_as_well)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
