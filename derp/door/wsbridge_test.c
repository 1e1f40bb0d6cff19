#include "wsbridge.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shard.h"

enum { IN_CAP = 65536, SAID = 1 << 20, MOST_MS = 20000 };

static struct loop *loop;
static struct pipe *relay; /* its end of the bridge */
static int client;
static struct relay_options options;
static struct shard shard;

static const struct pipe_events none;

static void begin(int64_t patience_ms)
{
	int pair[2];
	struct buffer said;
	loop = loop_new();
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
	client = pair[1];
	options.limit_write_ms = patience_ms;
	shard = (struct shard){.loop = loop, .options = &options};
	relay = wsbridge_open(&shard, pipe_open(loop, pair[0], IN_CAP, NULL, NULL), IN_CAP);
	pipe_set_events(relay, &none, NULL);
	buffer_init(&said, SAID);
	memset(buffer_reserve(&said, SAID), 'x', SAID);
	buffer_filled(&said, SAID);
	assert_int_equal(pipe_write(relay, &said), ERR_NONE);
}

static void finish(void)
{
	pipe_close(&relay);
	close(client);
	loop_free(&loop);
}

static bool has_ended(void)
{
	struct pollfd p = {.fd = client};
	return poll(&p, 1, 0) == 1 && p.revents & POLLHUP;
}

/* It has no say once the relay has gone: what it does not take goes nowhere. */
static void a_client_that_takes_nothing_ends(void **state)
{
	(void)state;
	begin(50);
	for (unsigned i = 0; i < 10; i++)
		loop_turn(loop, 0);
	/* At least the piece that was not taken, and what the pair holds; less than all that the relay said. */
	assert_in_range(shard.room.bridged, 64 << 10, SAID - 1);
	pipe_close(&relay);
	int64_t until = clock_mono().ms + MOST_MS;
	while (!has_ended() && clock_mono().ms < until)
		loop_turn(loop, 20);
	assert_true(has_ended());
	assert_int_equal(shard.room.bridged, 0);
	finish();
}

/* Some bytes now and then would hold it for hours. */
static void a_client_that_takes_little_ends_soon_after_the_relay(void **state)
{
	enum { PATIENCE_MS = 300 };
	(void)state;
	char little[16];
	int small = 4096;
	int64_t began = clock_mono().ms;
	begin(PATIENCE_MS);
	(void)!setsockopt(client, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
	for (unsigned i = 0; i < 10; i++)
		loop_turn(loop, 0);
	pipe_close(&relay);
	int64_t until = clock_mono().ms + MOST_MS;
	while (!has_ended() && clock_mono().ms < until) {
		loop_turn(loop, 5);
		(void)!read(client, little, sizeof little);
	}
	assert_true(has_ended());
	/* Its side of the pair held much: that goes out for as long, and no longer. A kernel that hands over larger pieces may have seen nothing go since the beginning. */
	assert_true(clock_mono().ms >= began + PATIENCE_MS);
	finish();
}

static void a_client_that_reads_gets_all(void **state)
{
	(void)state;
	static char read_in[8192];
	size_t got = 0;
	begin(MOST_MS);
	int64_t until = clock_mono().ms + MOST_MS;
	while (got < SAID && clock_mono().ms < until) {
		loop_turn(loop, 1);
		ssize_t count = read(client, read_in, sizeof read_in);
		assert_int_not_equal(count, 0);
		got += count > 0 ? (size_t)count : 0;
	}
	assert_true(got >= SAID);
	assert_false(has_ended());
	while (shard.room.bridged && clock_mono().ms < until)
		loop_turn(loop, 1);
	assert_int_equal(shard.room.bridged, 0);
	finish();
}

static void on_said(void *context, struct buffer *in)
{
	*(size_t *)context += in->len;
	buffer_consume(in, in->len);
}

/* What the relay has taken waits nowhere. */
static void what_the_relay_has_taken_is_not_counted(void **state)
{
	enum { FRAME = 1200, FRAMES = 20 };
	(void)state;
	static const struct pipe_events heard_by = {.on_data = on_said};
	static const uint8_t head[8] = {0x82, 0x80 | 126, FRAME >> 8, FRAME & 0xff};
	static uint8_t read_in[65536], frame[sizeof head + FRAME];
	size_t heard = 0;
	memcpy(frame, head, sizeof head);
	begin(MOST_MS);
	int64_t until = clock_mono().ms + MOST_MS;
	for (size_t got = 0; got < SAID && clock_mono().ms < until;) {
		loop_turn(loop, 1);
		ssize_t count = read(client, read_in, sizeof read_in);
		got += count > 0 ? (size_t)count : 0;
	}
	pipe_set_events(relay, &heard_by, &heard);
	for (unsigned i = 0; i < FRAMES; i++)
		assert_int_equal(write(client, frame, sizeof frame), sizeof frame);
	while ((heard < FRAME * FRAMES || shard.room.bridged) && clock_mono().ms < until)
		loop_turn(loop, 1);
	assert_int_equal(heard, FRAME * FRAMES);
	assert_int_equal(shard.room.bridged, 0);
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(a_client_that_takes_nothing_ends),
					   cmocka_unit_test(a_client_that_takes_little_ends_soon_after_the_relay),
					   cmocka_unit_test(a_client_that_reads_gets_all), cmocka_unit_test(what_the_relay_has_taken_is_not_counted)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
