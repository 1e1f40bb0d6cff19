/* A guest whose time is up before its pipe comes: the head of the answer waits as long as the client takes nothing. Who carries it is the test. */
#include "handshake.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "log.h"
#include "room.h"
#include "shard.h"
#include "upgrade.h"

enum { PATIENCE_MS = 10000 };

static struct loop *loop;
static struct relay relay;
static struct relay_options options;
static struct shard shard;
static void (*on_pipe)(void *context, struct pipe *pipe);
static void *guest;

struct bytes upgrade_wanted(struct exchange *x)
{
	(void)x;
	return BYTES("derp");
}

void upgrade_take(struct exchange *x, const char *protocol, struct bytes first, size_t in_cap, void (*fn)(void *context, struct pipe *pipe), void *context)
{
	(void)x, (void)first, (void)in_cap;
	assert_string_equal(protocol, "DERP");
	on_pipe = fn;
	guest = context;
}

void upgrade_take_silently(struct exchange *x, size_t in_cap, void (*fn)(void *context, struct pipe *pipe), void *context)
{
	(void)x, (void)in_cap, (void)fn, (void)context;
	fail_msg("it asked for no fast start");
}

bool relaylife_is_leaving(const struct shard *s)
{
	return s->closing;
}

bool room_is_scarce(const struct shard *s)
{
	assert_ptr_equal(s, &shard);
	return false;
}

bool shard_complete(const struct shard *s)
{
	assert_ptr_equal(s, &shard);
	return true;
}

unsigned relay_home(const struct relay *r, const struct node_key *key)
{
	(void)r, (void)key;
	fail_msg("nobody has proven a key");
	return 0;
}

void client_admit(struct shard *s, struct pipe *pipe, const struct client_way *way, const struct derpframe_client_info *info)
{
	(void)s, (void)pipe, (void)way, (void)info;
	fail_msg("nobody has proven a key");
}

static struct bytes no_header(const struct exchange *x, const char *name)
{
	(void)x, (void)name;
	return BYTES_NONE;
}

static void ignore_header(struct exchange *x, const char *name, struct bytes value)
{
	(void)x, (void)name, (void)value;
}

static void knock(void)
{
	static const struct carrier carrier = {.header = no_header, .add_header = ignore_header};
	struct exchange x = {.carrier = &carrier, .arena = arena_new(), .loop = loop, .program = &shard, .door = DOOR_RELAY};
	guest = NULL;
	handshake_begin(&x);
	assert_non_null(guest);
	assert_int_equal(shard.guest_count, 1);
	arena_free(&x.arena);
}

static void pass(int64_t ms)
{
	clock_step_by_hand(ms);
	for (unsigned i = 0; i < 4; i++)
		loop_turn(loop, 0);
}

static int begin(void **state)
{
	(void)state;
	clock_set_by_hand((struct mono){1000000}, (struct wall){0});
	loop = loop_new();
	options = (struct relay_options){.limit_handshakes = 8, .limit_write_ms = 2000};
	relay = (struct relay){.options = &options};
	shard = (struct shard){.relay = &relay, .loop = loop, .options = &options};
	list_init(&shard.guests);
	return 0;
}

static int end(void **state)
{
	(void)state;
	assert_int_equal(shard.guest_count, 0);
	assert_true(list_empty(&shard.guests));
	loop_free(&loop);
	return 0;
}

static void one_that_never_gets_its_pipe(void **state)
{
	(void)state;
	knock();
	pass(PATIENCE_MS - 1000);
	assert_int_equal(shard.guest_count, 1);
	pass(2000);
	assert_int_equal(shard.guest_count, 0);
	on_pipe(guest, NULL);
	pass(0);
}

static void one_that_gets_it_too_late(void **state)
{
	int pair[2];
	char byte;
	(void)state;
	knock();
	pass(2 * PATIENCE_MS);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	on_pipe(guest, pipe_open(loop, pair[0], 4096, NULL, NULL));
	pass(0);
	assert_int_equal(read(pair[1], &byte, 1), 0);
	close(pair[1]);
}

static void one_whose_client_goes_in_time(void **state)
{
	(void)state;
	knock();
	on_pipe(guest, NULL);
	assert_int_equal(shard.guest_count, 0);
	pass(2 * PATIENCE_MS);
}

#define IN_ORDER(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_ORDER(one_that_never_gets_its_pipe),
		IN_ORDER(one_that_gets_it_too_late),
		IN_ORDER(one_whose_client_goes_in_time),
	};
	log_setup("lateguest_test", LOG_ERROR + 1, LOG_TEXT);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
