#include "pipe.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <unistd.h>

#include "worker.h"

/* One end is a pipe on the loop, the other a bare socket. */
static struct loop *loop;
static struct pipe *pipe_under_test;
static int far;
static struct buffer got;
static unsigned datas, writtens, ends;
static enum err why;
static bool close_in_callback, leave_in, pause_in_callback;

static void on_data(void *context, struct buffer *in)
{
	(void)context;
	datas++;
	if (pause_in_callback)
		pipe_read_pause(pipe_under_test);
	if (leave_in)
		return;
	assert_int_equal(buffer_add(&got, buffer_bytes(in)), ERR_NONE);
	buffer_consume(in, in->len);
	if (close_in_callback)
		pipe_close(&pipe_under_test);
}

static void on_written(void *context)
{
	(void)context;
	writtens++;
	if (close_in_callback)
		pipe_close(&pipe_under_test);
}

static void on_end(void *context, enum err e)
{
	(void)context;
	ends++;
	why = e;
	if (close_in_callback)
		pipe_close(&pipe_under_test);
}

static const struct pipe_events EVENTS = {.on_data = on_data, .on_written = on_written, .on_end = on_end};

enum { IN_CAP = 1000 };

static int begin(void **state)
{
	int fds[2];
	(void)state;
	loop = loop_new();
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds))
		return -1;
	far = fds[1];
	struct timeval patience = {.tv_sec = 10};
	setsockopt(far, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	buffer_init(&got, 16 << 20);
	datas = writtens = ends = 0;
	why = ERR_NONE;
	close_in_callback = leave_in = pause_in_callback = false;
	pipe_under_test = pipe_open(loop, fds[0], IN_CAP, &EVENTS, NULL);
	return 0;
}

static int finish(void **state)
{
	(void)state;
	pipe_close(&pipe_under_test);
	pipe_close(&pipe_under_test);
	loop_free(&loop);
	close(far);
	buffer_clear(&got);
	return 0;
}

static void turns(unsigned count)
{
	while (count--)
		loop_turn(loop, 0);
}

static void say(const char *text)
{
	assert_int_equal(send(far, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

static enum err write_bytes(struct bytes b)
{
	struct buffer out;
	buffer_init(&out, 1 << 20);
	assert_int_equal(buffer_add(&out, b), ERR_NONE);
	enum err e = pipe_write(pipe_under_test, &out);
	if (e == ERR_NONE)
		assert_int_equal(out.len, 0);
	buffer_clear(&out);
	return e;
}

static enum err write_text(const char *text)
{
	return write_bytes(bytes_text(text));
}

static void assert_got(const char *text)
{
	if (!bytes_equal_text(buffer_bytes(&got), text))
		fail_msg("got: %.*s", BYTES_ARG(buffer_bytes(&got)));
}

static void bytes_come_and_go(void **state)
{
	char text[64] = "";
	(void)state;
	say("hello");
	turns(2);
	assert_got("hello");
	assert_int_equal(datas, 1);
	assert_int_equal(write_text("one "), ERR_NONE);
	assert_int_equal(write_text("two"), ERR_NONE);
	assert_true(pipe_busy(pipe_under_test));
	assert_int_equal(pipe_unsent(pipe_under_test), 7);
	assert_int_equal(writtens, 0);
	turns(2);
	assert_int_equal(writtens, 1);
	assert_false(pipe_busy(pipe_under_test));
	assert_int_equal(recv(far, text, sizeof(text), 0), 7);
	assert_string_equal(text, "one two");
	turns(3);
	assert_int_equal(writtens, 1);
}

static void what_is_left_is_shown_again(void **state)
{
	(void)state;
	leave_in = true;
	say("ab");
	turns(2);
	assert_int_equal(datas, 1);
	turns(2);
	assert_int_equal(datas, 1);
	pipe_kick(pipe_under_test);
	assert_int_equal(datas, 1);
	turns(1);
	assert_int_equal(datas, 2);
	leave_in = false;
	say("cd");
	turns(2);
	assert_got("abcd");
}

static void too_much_unconsumed_ends(void **state)
{
	char much[IN_CAP + 1];
	(void)state;
	memset(much, 'm', sizeof(much));
	leave_in = true;
	assert_int_equal(send(far, much, IN_CAP, 0), IN_CAP);
	turns(5);
	assert_int_equal(ends, 0);
	assert_int_equal(send(far, much, 1, 0), 1);
	turns(5);
	assert_int_equal(ends, 1);
	assert_int_equal(why, ERR_TOO_BIG);
	turns(5);
	assert_int_equal(ends, 1);
}

static void paused_pipes_do_not_read(void **state)
{
	(void)state;
	pause_in_callback = true;
	say("a");
	turns(2);
	say("b");
	turns(5);
	assert_got("a");
	pipe_read_resume(pipe_under_test);
	assert_got("a");
	turns(3);
	assert_got("ab");
	pause_in_callback = false;
	pipe_read_resume(pipe_under_test);
	say("c");
	close(far);
	far = -1;
	turns(4);
	assert_got("abc");
	assert_int_equal(ends, 1);
	assert_int_equal(why, ERR_CLOSED);
}

static void slow_readers_get_everything_once(void **state)
{
	enum { PIECES = 400, PIECE = 5000 };
	(void)state;
	pipe_set_out_cap(pipe_under_test, PIECES * PIECE);
	for (unsigned i = 0; i < PIECES; i++) {
		uint8_t piece[PIECE];
		memset(piece, (int)(i & 0xff), PIECE);
		assert_int_equal(write_bytes(bytes_of(piece, PIECE)), ERR_NONE);
	}
	assert_int_equal(write_text("x"), ERR_TOO_BIG);
	turns(5);
	assert_int_equal(writtens, 0);
	assert_true(pipe_unsent(pipe_under_test) > 0);
	static uint8_t in[PIECES * PIECE];
	size_t len = 0;
	while (len < sizeof(in)) {
		ssize_t n = recv(far, in + len, 12345 < sizeof(in) - len ? 12345 : sizeof(in) - len, MSG_DONTWAIT);
		if (n > 0)
			len += (size_t)n;
		else
			assert_int_equal(errno, EAGAIN);
		turns(1);
	}
	turns(2);
	for (size_t i = 0; i < sizeof(in); i++)
		if (in[i] != (i / PIECE & 0xff))
			fail_msg("byte %zu", i);
	assert_int_equal(writtens, 1);
}

static void callbacks_may_close(void **state)
{
	(void)state;
	close_in_callback = true;
	say("x");
	say("y");
	turns(2);
	assert_null(pipe_under_test);
	turns(2);
	assert_int_equal(datas, 1);
	assert_int_equal(ends, 0);
}

static void written_callbacks_may_close(void **state)
{
	char text[8] = "";
	(void)state;
	close_in_callback = true;
	assert_int_equal(write_text("bye"), ERR_NONE);
	turns(2);
	assert_null(pipe_under_test);
	assert_int_equal(recv(far, text, sizeof(text), 0), 3);
	assert_int_equal(recv(far, text, sizeof(text), 0), 0);
}

static void last_words_are_sent(void **state)
{
	char text[8] = "";
	(void)state;
	assert_int_equal(write_text("bye"), ERR_NONE);
	pipe_close(&pipe_under_test);
	assert_null(pipe_under_test);
	assert_int_equal(recv(far, text, sizeof(text), 0), 3);
	assert_string_equal(text, "bye");
	turns(2);
	assert_int_equal(writtens + ends, 0);
}

static void broken_peers_are_told(void **state)
{
	(void)state;
	close_in_callback = true;
	pipe_read_pause(pipe_under_test);
	close(far);
	far = -1;
	assert_int_equal(write_text("x"), ERR_NONE);
	turns(3);
	assert_int_equal(ends, 1);
	assert_int_equal(why, ERR_CLOSED);
	assert_null(pipe_under_test);
}

/* ---- over TCP ---- */

static int accepted = -1;

static void on_accept(void *context, int fd)
{
	(void)context;
	accepted = fd;
}

static struct endpoint loopback(uint16_t port)
{
	return (struct endpoint){.ip = {.family = IP_V4, .byte = {127, 0, 0, 1}}, .port = port};
}

static int option_of(int fd, int name)
{
	int value = -1;
	socklen_t len = sizeof(value);
	assert_int_equal(getsockopt(fd, IPPROTO_TCP, name, &value, &len), 0);
	return value;
}

static void connections_are_made_and_accepted(void **state)
{
	struct diag diag;
	char text[8] = "";
	(void)state;
	pipe_close(&pipe_under_test);
	struct listener *l = listener_open(loop, loopback(0), on_accept, NULL, &diag), *second;
	assert_non_null(l);
	struct endpoint at = listener_endpoint(l);
	assert_true(at.port);
	second = listener_open(loop, at, on_accept, NULL, &diag);
	assert_non_null(second);
	pipe_under_test = pipe_connect(loop, at, 1000, IN_CAP, &EVENTS, NULL);
	assert_int_equal(write_text("first"), ERR_NONE);
	while (!writtens || accepted < 0)
		loop_turn(loop, 100);
	assert_int_equal(recv(accepted, text, sizeof(text), 0), 5);
	assert_string_equal(text, "first");
	assert_true(endpoint_equal(pipe_peer(pipe_under_test), at));
	assert_true(option_of(accepted, TCP_NODELAY));
	assert_int_equal(option_of(accepted, TCP_USER_TIMEOUT), 30000);
	assert_int_equal(option_of(accepted, TCP_KEEPIDLE), 60);
	close(accepted);
	while (!ends)
		loop_turn(loop, 100);
	assert_int_equal(why, ERR_CLOSED);
	listener_empty(l);
	listener_close(&l);
	listener_close(&l);
	listener_close(&second);
	assert_null(listener_open(loop, (struct endpoint){.ip = {.family = IP_V4, .byte = {192, 0, 2, 1}}}, on_accept, NULL, &diag));
	assert_non_null(strstr(diag.text, "192.0.2.1"));
}

static void failed_connects_are_told(void **state)
{
	(void)state;
	pipe_close(&pipe_under_test);
	pipe_under_test = pipe_connect(loop, loopback(1), 1000, IN_CAP, &EVENTS, NULL);
	assert_int_equal(ends, 0);
	while (!ends)
		loop_turn(loop, 100);
	assert_int_equal(why, ERR_UNAVAILABLE);
	pipe_close(&pipe_under_test);
	/* An address without a family cannot be dialled at all. */
	pipe_under_test = pipe_connect(loop, (struct endpoint){0}, 1000, IN_CAP, &EVENTS, NULL);
	assert_int_equal(ends, 1);
	while (ends < 2)
		loop_turn(loop, 100);
	pipe_close(&pipe_under_test);
	/* A listener whose queue is full does not answer. */
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	struct sockaddr_storage sa;
	socklen_t len = endpoint_to_sockaddr(loopback(0), &sa);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, len), 0);
	assert_int_equal(listen(fd, 0), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
	int fillers[4];
	for (unsigned i = 0; i < COUNT_OF(fillers); i++) {
		fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		(void)!connect(fillers[i], (struct sockaddr *)&sa, len);
	}
	close_in_callback = true;
	pipe_under_test = pipe_connect(loop, endpoint_from_sockaddr((struct sockaddr *)&sa), 50, IN_CAP, &EVENTS, NULL);
	while (ends < 3)
		loop_turn(loop, 100);
	assert_int_equal(why, ERR_TIMEOUT);
	assert_null(pipe_under_test);
	for (unsigned i = 0; i < COUNT_OF(fillers); i++)
		close(fillers[i]);
	close(fd);
}

/* ---- between loops ---- */

enum { VOYAGES = 200 };
static struct worker *workers;
static struct pipe *traveller;
static unsigned voyages;

static void on_arrive(void *context);

static void on_travel_data(void *context, struct buffer *in)
{
	unsigned at = (unsigned)(uintptr_t)context;
	if (in->len < 4)
		return;
	/* Two bytes stay behind and travel along. */
	struct buffer out;
	buffer_init(&out, 100);
	assert_int_equal(buffer_add(&out, bytes_take(buffer_bytes(in), 2)), ERR_NONE);
	buffer_consume(in, 2);
	assert_int_equal(pipe_write(traveller, &out), ERR_NONE);
	(void)at;
}

static void on_travel_written(void *context)
{
	unsigned at = (unsigned)(uintptr_t)context;
	if (++voyages == VOYAGES) {
		pipe_close(&traveller);
		loop_stop(workers[0].loop);
		loop_stop(workers[1].loop);
		return;
	}
	loop_post(workers[!at].loop, on_arrive, pipe_export(&traveller));
}

static const struct pipe_events TRAVEL = {.on_data = on_travel_data, .on_written = on_travel_written};

static void on_arrive(void *context)
{
	struct pipe_parcel *parcel = context;
	unsigned at = voyages & 1;
	traveller = pipe_import(workers[at].loop, &parcel, &TRAVEL, (void *)(uintptr_t)at);
}

static void on_begin_travel(void *context)
{
	traveller = pipe_open(workers[0].loop, (int)(intptr_t)context, 64, &TRAVEL, (void *)0);
}

static void on_start(struct worker *w)
{
	(void)w;
}

static void pipes_travel_between_loops(void **state)
{
	int fds[2];
	char text[4];
	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	workers = worker_start(2, on_start, NULL);
	assert_int_equal(send(fds[1], "ab", 2, 0), 2);
	loop_post(workers[0].loop, on_begin_travel, (void *)(intptr_t)fds[0]);
	for (unsigned i = 0; i < VOYAGES; i++) {
		char more[2] = {(char)i, 'z'};
		assert_int_equal(send(fds[1], more, 2, MSG_NOSIGNAL), 2);
		assert_int_equal(recv(fds[1], text, 2, MSG_WAITALL), 2);
		if (i)
			assert_int_equal((unsigned char)text[0], (i - 1) & 0xff);
	}
	worker_join(&workers, 2);
	close(fds[1]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, finish)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(bytes_come_and_go),
		TEST(what_is_left_is_shown_again),
		TEST(too_much_unconsumed_ends),
		TEST(paused_pipes_do_not_read),
		TEST(slow_readers_get_everything_once),
		TEST(callbacks_may_close),
		TEST(written_callbacks_may_close),
		TEST(last_words_are_sent),
		TEST(broken_peers_are_told),
		TEST(connections_are_made_and_accepted),
		TEST(failed_connects_are_told),
		cmocka_unit_test(pipes_travel_between_loops),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
