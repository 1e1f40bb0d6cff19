#include <hiredis/hiredis.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bus.h"
#include "busline.h"
#include "notice.h"
#include "redis_server.h"

static struct redis_server server;

static void test_url(void **state)
{
	(void)state;
	struct bus_target t;
	struct diag why;
	assert_int_equal(bus_target_parse(BYTES("redis://127.0.0.1:6379"), &t, &why), ERR_NONE);
	assert_int_equal(t.at.port, 6379);
	assert_int_equal(t.at.ip.family, IP_V4);
	assert_int_equal(bus_target_parse(BYTES("redis://:p@ss/w:ord@[::1]:1/7"), &t, &why), ERR_NONE);
	assert_string_equal(t.password, "p@ss/w:ord");
	assert_int_equal(t.at.ip.family, IP_V6);
	assert_int_equal(t.database, 7);
	assert_int_equal(bus_target_parse(BYTES("redis://localhost:6379/"), &t, &why), ERR_NONE);
	assert_string_equal(t.host, "localhost");
	assert_int_equal(t.at.port, 6379);
	assert_int_equal(bus_target_parse(BYTES("unix:/run/redis.sock"), &t, &why), ERR_NONE);
	assert_string_equal(t.path, "/run/redis.sock");
	static const char *const bad[] = {"",
					  "http://127.0.0.1:1",
					  "redis://",
					  "redis://host",
					  "redis://:1",
					  "redis://host:70000",
					  "redis://host:1/x",
					  "redis://user@host:1",
					  "unix:relative",
					  "redis://host:"};
	for (size_t i = 0; i < COUNT_OF(bad); i++)
		assert_int_not_equal(bus_target_parse(bytes_text(bad[i]), &t, &why), ERR_NONE);
	struct loop *loop = loop_new();
	assert_null(bus_new(loop, "nonsense", &why));
	loop_free(&loop);
}

struct heard {
	unsigned answers, restored, messages;
	enum err e;
	char last[64];
	struct bus *bus;
	struct bus_listener *leave; /* unlisten it when a message comes */
};

static void on_reply(void *context, enum err e, const struct redisReply *reply)
{
	struct heard *h = context;
	h->answers++;
	h->e = e;
	assert_true(!e == !!reply);
	if (reply && (reply->type == REDIS_REPLY_STRING || reply->type == REDIS_REPLY_STATUS))
		snprintf(h->last, sizeof(h->last), "%s", reply->str);
}

static void on_message(void *context, struct bytes message)
{
	struct heard *h = context;
	h->messages++;
	snprintf(h->last, sizeof(h->last), "%.*s", BYTES_ARG(message));
	if (h->leave)
		bus_unlisten(h->bus, h->leave);
}

static void on_restored(void *context)
{
	struct heard *h = context;
	h->restored++;
	assert_true(bus_up(h->bus));
}

static struct bus *bus_at(struct loop *loop, const char *url)
{
	struct diag why;
	struct bus *bus = bus_new(loop, url, &why);
	assert_non_null(bus);
	return bus;
}

static void publish(struct bus *bus, const char *channel, const char *message)
{
	bus_command(bus, NULL, NULL, BUS_ARGS(BYTES("PUBLISH"), bytes_text(channel), bytes_text(message)));
}

static void test_commands(void **state)
{
	(void)state;
	struct loop *loop = loop_new();
	struct bus *bus = bus_at(loop, server.url);
	struct heard h = {.bus = bus};
	assert_false(bus_up(bus));
	assert_non_null(bus_trouble());
	bus_command(bus, on_reply, &h, BUS_ARGS(BYTES("PING")));
	assert_int_equal(h.answers, 0);
	TURN_UNTIL(loop, 100, h.answers == 1);
	assert_int_equal(h.e, ERR_UNAVAILABLE);
	TURN_UNTIL(loop, 3000, bus_up(bus));
	assert_null(bus_trouble());
	bus_command(bus, on_reply, &h, BUS_ARGS(BYTES("SET"), BYTES("a"), BYTES("b\0c")));
	bus_command(bus, on_reply, &h, BUS_ARGS(BYTES("NONSENSE")));
	bus_command(bus, on_reply, &h, BUS_ARGS(BYTES("GET"), BYTES("a")));
	TURN_UNTIL(loop, 1000, h.answers == 4);
	assert_string_equal(h.last, "b");
	for (int i = 0; i < 5000; i++)
		bus_command(bus, on_reply, &h, BUS_ARGS(BYTES("PING")));
	TURN_UNTIL(loop, 1000, h.e == ERR_EXHAUSTED);
	TURN_UNTIL(loop, 3000, h.answers == 5004);
	bus_command(bus, on_reply, &h, BUS_ARGS(BYTES("PING")));
	bus_command(bus, on_reply, &loop, BUS_ARGS(BYTES("PING")));
	bus_forget(bus, &loop);
	bus_free(&bus);
	assert_int_equal(h.answers, 5005);
	assert_int_equal(h.e, ERR_CANCELED);
	assert_null(bus_trouble());
	loop_free(&loop);
}

static void test_listen(void **state)
{
	(void)state;
	struct loop *loop = loop_new();
	struct bus *bus = bus_at(loop, server.url);
	struct heard a = {.bus = bus}, b = {.bus = bus}, c = {.bus = bus};
	struct bus_listener la = {.on_message = on_message, .on_restored = on_restored, .context = &a};
	struct bus_listener lb = {.on_message = on_message, .on_restored = on_restored, .context = &b};
	struct bus_listener lc = {.on_message = on_message, .context = &c};
	bus_listen(bus, "x", &la);
	TURN_UNTIL(loop, 3000, a.restored == 1);
	bus_listen(bus, "x", &lb);
	bus_listen(bus, "y", &lc);
	assert_int_equal(b.restored, 0);
	TURN_UNTIL(loop, 1000, b.restored == 1);
	turn_for(loop, 50);
	publish(bus, "x", "one");
	publish(bus, "y", "two");
	TURN_UNTIL(loop, 1000, a.messages == 1 && b.messages == 1 && c.messages == 1);
	assert_string_equal(c.last, "two");
	/* One leaves another inside its callback. */
	a.leave = &lb;
	publish(bus, "x", "three");
	TURN_UNTIL(loop, 1000, a.messages == 2);
	turn_for(loop, 50);
	assert_int_equal(b.messages, 1);
	a.leave = &la;
	publish(bus, "x", "four");
	TURN_UNTIL(loop, 1000, a.messages == 3);
	publish(bus, "x", "five");
	turn_for(loop, 50);
	assert_int_equal(a.messages, 3);
	/* Left and entered in the same turn, often. */
	a.leave = NULL;
	for (int i = 0; i < 5; i++) {
		bus_listen(bus, "x", &la);
		bus_unlisten(bus, &la);
	}
	bus_listen(bus, "x", &la);
	TURN_UNTIL(loop, 1000, a.restored == 2);
	publish(bus, "x", "six");
	TURN_UNTIL(loop, 1000, a.messages == 4);
	bus_unlisten(bus, &la);
	bus_unlisten(bus, &lb);
	bus_free(&bus);
	assert_null(lc.channel);
	loop_free(&loop);
}

static void test_reconnect(void **state)
{
	(void)state;
	struct loop *loop = loop_new();
	struct bus *bus = bus_at(loop, server.url);
	struct heard a = {.bus = bus}, in_flight = {.bus = bus};
	struct bus_listener la = {.on_message = on_message, .on_restored = on_restored, .context = &a};
	bus_listen(bus, "x", &la);
	TURN_UNTIL(loop, 3000, a.restored == 1);
	redis_stop(&server);
	bus_command(bus, on_reply, &in_flight, BUS_ARGS(BYTES("PING")));
	TURN_UNTIL(loop, 1000, !bus_up(bus) && in_flight.answers);
	assert_int_equal(in_flight.e, ERR_UNAVAILABLE);
	assert_non_null(bus_trouble());
	turn_for(loop, 500);
	redis_start(&server);
	TURN_UNTIL(loop, 3000, a.restored == 2);
	publish(bus, "x", "again");
	TURN_UNTIL(loop, 1000, a.messages == 1);
	bus_free(&bus);
	loop_free(&loop);
}

static void test_tcp(void **state)
{
	(void)state;
	char url[128];
	struct redis_server tcp = {.port = free_port(), .password = "se/cr@et"};
	redis_start(&tcp);
	struct loop *loop = loop_new();
	struct heard h = {0};
	snprintf(url, sizeof(url), "redis://:se/cr@et@localhost:%u/3", tcp.port);
	struct bus *bus = bus_at(loop, url);
	TURN_UNTIL(loop, 3000, bus_up(bus));
	bus_command(bus, on_reply, &h, BUS_ARGS(BYTES("SET"), BYTES("k"), BYTES("three")));
	TURN_UNTIL(loop, 1000, h.answers == 1);
	snprintf(url, sizeof(url), "redis://:se/cr@et@127.0.0.1:%u", tcp.port);
	struct bus *zero = bus_at(loop, url);
	TURN_UNTIL(loop, 3000, bus_up(zero));
	h.last[0] = 0;
	bus_command(zero, on_reply, &h, BUS_ARGS(BYTES("GET"), BYTES("k")));
	TURN_UNTIL(loop, 1000, h.answers == 2);
	assert_string_equal(h.last, "");
	snprintf(url, sizeof(url), "redis://:wrong@127.0.0.1:%u", tcp.port);
	struct bus *wrong = bus_at(loop, url);
	turn_for(loop, 300);
	assert_false(bus_up(wrong));
	/* One is freed while its name is resolved. */
	snprintf(url, sizeof(url), "redis://localhost:%u", tcp.port);
	struct bus *early = bus_at(loop, url);
	bus_free(&early);
	bus_free(&wrong);
	bus_free(&zero);
	bus_free(&bus);
	loop_free(&loop);
	redis_clear(&tcp);
}

struct bells {
	unsigned count, restored;
	uint64_t tailnet, generation;
};

static void on_bell(void *context, uint64_t tailnet, uint64_t generation)
{
	struct bells *b = context;
	b->count++;
	b->tailnet = tailnet;
	b->generation = generation;
}

static void on_bells_restored(void *context)
{
	((struct bells *)context)->restored++;
}

static void test_notice(void **state)
{
	(void)state;
	struct loop *loop = loop_new();
	struct bus *bus = bus_at(loop, server.url);
	struct bells b = {0};
	struct notice_listener *l = notice_listen(bus, on_bell, on_bells_restored, &b);
	struct notice_listener *quiet = notice_listen(bus, on_bell, NULL, &b);
	TURN_UNTIL(loop, 3000, b.restored == 1);
	notice_unlisten(&quiet);
	publish(bus, "fs:bell", "nonsense");
	publish(bus, "fs:bell", "1 2 3");
	publish(bus, "fs:bell", "");
	notice_ring(bus, UINT64_MAX, 7);
	TURN_UNTIL(loop, 1000, b.count == 1);
	assert_true(b.tailnet == UINT64_MAX && b.generation == 7);
	notice_unlisten(&l);
	bus_free(&bus);
	loop_free(&loop);
}

static int start(void **state)
{
	(void)state;
	redis_start(&server);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	redis_clear(&server);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_url),       cmocka_unit_test(test_commands), cmocka_unit_test(test_listen),
		cmocka_unit_test(test_reconnect), cmocka_unit_test(test_tcp),      cmocka_unit_test(test_notice),
	};
	return cmocka_run_group_tests(tests, start, stop);
}
