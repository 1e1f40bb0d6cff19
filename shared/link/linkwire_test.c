/* Two wires over loopback, and one against bytes made by hand. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "linkwire.h"
#include "noise.h"
#include "pipe.h"

#define SECRET BYTES("secret")

struct end {
	struct linkwire *wire;
	unsigned ready, frames, ends;
	uint64_t versions;
	size_t longest;
	enum err why;
	bool close; /* inside on_frame */
};

static struct loop *loop;

static void on_ready(void *context)
{
	((struct end *)context)->ready++;
}

static void on_frame(void *context, const struct linkframe *frame)
{
	struct end *e = context;
	e->frames++;
	e->versions += frame->version;
	if (frame->bytes.len > e->longest)
		e->longest = frame->bytes.len;
	if (e->close)
		linkwire_close(&e->wire);
}

static void on_end(void *context, enum err why)
{
	struct end *e = context;
	e->ends++;
	e->why = why;
}

static const struct linkwire_events tells = {on_ready, on_frame, on_end};

static void turns(unsigned count)
{
	while (count--)
		loop_turn(loop, 1);
}

/* A wire that accepts, and the other side's descriptor. */
static int open_by_hand(struct end *e)
{
	int fds[2];
	*e = (struct end){0};
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	e->wire = linkwire_accept(loop, fds[0], SECRET, &tells, e);
	return fds[1];
}

static void send_bytes(int fd, struct bytes b)
{
	assert_int_equal(write(fd, b.at, b.len), b.len);
}

/* Handshake as the dialing end. */
static void greet(int fd, struct noise *noise)
{
	struct noise_psk psk;
	uint8_t message[NOISE_PSK_MESSAGE_LEN];
	noise_psk_start(&psk, SECRET, BYTES(LINK_PROLOGUE), message);
	for (size_t i = 0; i < sizeof(message); i++) {
		send_bytes(fd, bytes_of(message + i, 1));
		turns(1);
	}
	turns(3);
	assert_int_equal(read(fd, message, sizeof(message)), sizeof(message));
	assert_int_equal(noise_psk_finish(&psk, bytes_of(message, sizeof(message)), noise), ERR_NONE);
}

static void send_sealed(int fd, struct noise *noise, struct bytes plain)
{
	struct buffer out;
	buffer_init(&out, 1 << 20);
	assert_int_equal(noise_seal(&noise->tx, plain, &out), ERR_NONE);
	send_bytes(fd, buffer_bytes(&out));
	buffer_clear(&out);
}

static struct end accepted;

static void on_accept(void *context, int fd)
{
	(void)context;
	accepted.wire = linkwire_accept(loop, fd, SECRET, &tells, &accepted);
}

static void test_both(void **state)
{
	(void)state;
	struct diag why;
	struct listener *l = listener_open(loop, (struct endpoint){.ip = {.family = IP_V4, .byte = {127, 0, 0, 1}}}, on_accept, NULL, &why);
	assert_non_null(l);
	struct end near = {0};
	accepted = (struct end){0};
	near.wire = linkwire_connect(loop, listener_endpoint(l), SECRET, &tells, &near);
	/* Before the handshake is done. */
	linkwire_send(near.wire, &(struct linkframe){.type = LINK_STANDS, .version = 1});
	turns(20);
	assert_int_equal(near.ready, 1);
	assert_int_equal(accepted.ready, 1);
	assert_int_equal(accepted.frames, 1);
	/* The longest frame, among short ones. */
	uint8_t *big = x_zalloc(LINKFRAME_MAX);
	struct linkframe chunk = {.type = LINK_CHUNK, .bytes = bytes_of(big, LINKFRAME_MAX - LINK_CHUNK_NAME_LEN)};
	linkwire_set_out_cap(accepted.wire, 64 << 20);
	for (unsigned i = 1; i <= 3; i++) {
		linkwire_send(accepted.wire, &(struct linkframe){.type = LINK_STANDS, .version = i});
		linkwire_send(accepted.wire, &chunk);
	}
	assert_true(linkwire_unsent(accepted.wire) > 3 * (size_t)LINKFRAME_MAX);
	for (int i = 0; i < 20000 && near.frames < 6; i++)
		loop_turn(loop, 1);
	assert_int_equal(near.frames, 6);
	assert_true(near.versions == 6);
	assert_int_equal(near.longest, chunk.bytes.len);
	chunk.bytes.len++;
	assert_int_equal(linkwire_try(near.wire, &chunk), ERR_TOO_BIG);
	free(big);
	/* Closing says the last words. */
	linkwire_send(near.wire, &(struct linkframe){.type = LINK_PING});
	linkwire_close(&near.wire);
	linkwire_close(&near.wire);
	turns(5);
	assert_int_equal(accepted.frames, 2);
	assert_int_equal(accepted.ends, 1);
	assert_int_equal(accepted.why, ERR_CLOSED);
	linkwire_close(&accepted.wire);
	listener_close(&l);
	turns(2);
}

/* Frames cut at every byte, several in a record, and one that closes inside. */
static void test_cut(void **state)
{
	(void)state;
	struct end e;
	struct noise noise;
	int fd = open_by_hand(&e);
	greet(fd, &noise);
	assert_int_equal(e.ready, 0);
	send_sealed(fd, &noise, BYTES_NONE);
	send_sealed(fd, &noise, BYTES("\x04\0\0\0\x0c\0\0\0\1\0"));
	turns(5);
	assert_int_equal(e.ready, 1);
	assert_int_equal(e.frames, 0);
	send_sealed(fd, &noise, BYTES("\0\0\0\0\0\0\5\x06\0\0\0\0\x06\0\0\0\0\x06"));
	turns(5);
	assert_int_equal(e.frames, 3);
	assert_true(e.versions == 5);
	e.close = true;
	send_sealed(fd, &noise, BYTES("\0\0\0\0\x06\0\0\0\0"));
	turns(5);
	assert_int_equal(e.frames, 4);
	assert_int_equal(e.ends, 0);
	close(fd);
	turns(2);
}

static void test_broken(void **state)
{
	(void)state;
	static const struct {
		struct bytes in;
		bool sealed;
		enum err why;
	} cases[] = {
		{BYTES("\x04\0\x10"
		       "0123456789abcdef"),
		 false, ERR_CRYPTO},
		{BYTES("\x09\0\x10"), false, ERR_MALFORMED},
		{BYTES("\x63\0\0\0\0"), true, ERR_MALFORMED},
		{BYTES("\x10\xff\0\0\0"), true, ERR_TOO_BIG},
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct end e;
		struct noise noise;
		int fd = open_by_hand(&e);
		greet(fd, &noise);
		if (cases[i].sealed)
			send_sealed(fd, &noise, cases[i].in);
		else
			send_bytes(fd, cases[i].in);
		turns(5);
		assert_int_equal(e.ends, 1);
		assert_int_equal(e.why, cases[i].why);
		linkwire_close(&e.wire);
		close(fd);
		turns(2);
	}
}

/* Who repeats a message that was overheard is answered, but proves nothing. */
static void test_unproven(void **state)
{
	(void)state;
	struct end e, silent;
	struct noise noise;
	int fd = open_by_hand(&e), other = open_by_hand(&silent);
	greet(fd, &noise);
	int64_t start = clock_mono().ms;
	while (!(e.ends && silent.ends) && clock_mono().ms - start < LINK_HANDSHAKE_MS + 30000)
		loop_turn(loop, 20);
	assert_int_equal(e.ready, 0);
	assert_int_equal(e.why, ERR_TIMEOUT);
	assert_int_equal(silent.why, ERR_TIMEOUT);
	linkwire_close(&e.wire);
	linkwire_close(&silent.wire);
	close(fd);
	close(other);
	turns(2);
}

static void test_cap(void **state)
{
	(void)state;
	struct end e;
	struct noise noise;
	clock_set_by_hand(clock_mono(), clock_wall()); /* nothing times out, however long this takes */
	int fd = open_by_hand(&e);
	greet(fd, &noise);
	send_sealed(fd, &noise, BYTES_NONE);
	turns(5);
	uint8_t *big = x_zalloc(1 << 20);
	linkwire_set_out_cap(e.wire, 3 << 20);
	for (int i = 0; i < 5; i++)
		linkwire_send(e.wire, &(struct linkframe){.type = LINK_CHUNK, .bytes = bytes_of(big, 1 << 20)});
	assert_int_equal(e.ends, 0);
	turns(2);
	assert_int_equal(e.ends, 1);
	assert_int_equal(e.why, ERR_TOO_BIG);
	linkwire_send(e.wire, &(struct linkframe){.type = LINK_PING});
	linkwire_close(&e.wire);
	free(big);
	close(fd);
	turns(2);
}

static int start(void **state)
{
	(void)state;
	loop = loop_new();
	return 0;
}

static int stop(void **state)
{
	(void)state;
	loop_free(&loop);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_both),     cmocka_unit_test(test_cut), cmocka_unit_test(test_broken),
		cmocka_unit_test(test_unproven), cmocka_unit_test(test_cap),
	};
	return cmocka_run_group_tests(tests, start, stop);
}
