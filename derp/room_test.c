/* Limits of the relay of relay_house.h: who gives way, and who notices nothing. */
#include "room.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cmocka.h>

#include "metrics_relay.h"
#include "relay_house.h"

enum { LARGE = 60000, SMALL_BUFFER = 4096, PATIENCE = 2000 };

static struct relay_options changed;
static uint8_t load[LARGE];

static struct relay_options *change(void)
{
	changed = options;
	changed.limit_write_ms = 600000;
	return &changed;
}

static void read_queued(struct shard *s, void *context)
{
	*(size_t *)context = s->room.queued;
}

static size_t queued(unsigned shard)
{
	size_t bytes;
	house_run(shard, read_queued, &bytes);
	return bytes;
}

/* One that takes nothing any more, on the first shard. */
static void join_stalled(struct peer *p)
{
	struct node_key key;
	struct private_key secret;
	mint(&key, &secret, 0);
	begin(p, &key, &secret, SMALL_BUFFER);
	send_info(p, "{\"version\":2}");
	assert_true(server_info_comes(p));
}

/* Until so much more waits there; the kernel takes the first of it. */
static void fill(struct peer *from, struct peer *to, size_t bytes)
{
	size_t before = queued(0);
	for (unsigned i = 0; i < PATIENCE && queued(0) < before + bytes; i++) {
		send_packet(from, &to->key, load, sizeof load);
		expect_quiet(from);
	}
	assert_true(queued(0) >= before + bytes);
}

static int64_t drops(enum relay_drop reason)
{
	return metric_sum(&relay_metrics[RELAY_PACKETS_DROPPED], 2 * reason) + metric_sum(&relay_metrics[RELAY_PACKETS_DROPPED], 2 * reason + 1);
}

/* All of these arrive in order. */
static void expect_flow(struct peer *from, struct peer *to)
{
	for (unsigned i = 0; i < 20; i++) {
		send_packet(from, &to->key, &i, sizeof i);
		expect_packet(to, &from->key, &i, sizeof i);
	}
}

static void await_zero(void)
{
	for (unsigned i = 0; i < PATIENCE && queued(0); i++)
		usleep(5000);
	assert_int_equal(queued(0), 0);
}

static void read_line(struct shard *s, void *context)
{
	*(size_t *)context = s->room.line_count;
}

static void slow_ones_share_what_may_wait(void **state)
{
	struct peer from, slow[3], quick;
	size_t line = 0;
	(void)state;
	change()->limit_queued = 1 << 20;
	house_reload(&changed);
	join(&from, 0);
	join(&quick, 0);
	for (unsigned i = 0; i < 3; i++)
		join_stalled(&slow[i]);
	/* The first takes all of it. The others have their share nevertheless, and the quick one notices nothing. */
	fill(&from, &slow[0], (1 << 20) - 2 * LARGE);
	int64_t tail = drops(RELAY_DROP_QUEUE_TAIL), head = drops(RELAY_DROP_QUEUE_HEAD);
	for (unsigned i = 0; i < 600; i++) {
		send_packet(&from, &slow[i % 3].key, load, sizeof load);
		if (i % 10 == 0)
			expect_flow(&from, &quick);
	}
	assert_int_equal(drops(RELAY_DROP_QUEUE_TAIL), tail);
	assert_true(drops(RELAY_DROP_QUEUE_HEAD) > head);
	assert_in_range(queued(0), 1, 1 << 20);
	house_run(0, read_line, &line);
	assert_int_equal(line, 3);
	for (unsigned i = 0; i < 3; i++)
		close(slow[i].fd);
	await_zero();
	house_reload(&options);
	close(from.fd);
	close(quick.fd);
}

/* The end of the stream without a byte. */
static bool is_closed_at_once(int fd)
{
	char byte;
	struct timeval wait = {.tv_usec = 200000};
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
	ssize_t n = recv(fd, &byte, 1, 0);
	bool closed = !n || (n < 0 && errno == ECONNRESET);
	close(fd);
	return closed;
}

static void memory_is_bounded(void **state)
{
	struct peer from, slow, quick, late;
	(void)state;
	join(&from, 0);
	join(&quick, 0);
	join_stalled(&slow);
	int64_t refused = metric_sum(&relay_metrics[RELAY_REFUSED], RELAY_REFUSED_MEMORY), memory = drops(RELAY_DROP_MEMORY);
	/* Beyond 7/8 nobody new comes. The kernel may take some of what waits meanwhile. */
	change();
	house_reload(&changed);
	fill(&from, &slow, 31 * LARGE);
	changed.limit_memory = (int64_t)queued(0) + 4 * LARGE;
	house_reload(&changed);
	assert_int_equal(drops(RELAY_DROP_MEMORY), memory);
	bool closed = false;
	for (unsigned i = 0; i < 50 && !(closed = is_closed_at_once(dial(0))); i++) {
		send_packet(&from, &slow.key, load, sizeof load);
		expect_quiet(&from);
	}
	assert_true(closed);
	assert_true(metric_sum(&relay_metrics[RELAY_REFUSED], RELAY_REFUSED_MEMORY) > refused);
	expect_flow(&from, &quick);
	/* Beyond all of it the slow one's queue is emptied, and the others go on. */
	changed.limit_memory = 1 << 20;
	house_reload(&changed);
	send_packet(&from, &slow.key, load, sizeof load);
	expect_quiet(&from);
	assert_true(drops(RELAY_DROP_MEMORY) > memory);
	assert_in_range(queued(0), 0, LARGE + 1000);
	expect_flow(&from, &quick);
	for (unsigned i = 0; i < 50; i++) {
		send_packet(&from, &slow.key, load, sizeof load);
		expect_flow(&from, &quick);
	}
	assert_in_range(queued(0), 0, 1 << 20);
	close(slow.fd);
	await_zero();
	/* And there is room again. */
	join(&late, 0);
	expect_flow(&from, &late);
	house_reload(&options);
	close(late.fd);
	close(from.fd);
	close(quick.fd);
}

static void accepts_are_bounded(void **state)
{
	struct peer a, b, late;
	int fd[60];
	(void)state;
	join(&a, 0);
	join(&b, 1);
	change()->limit_accepts = 1;
	changed.limit_accept_burst = 5;
	house_reload(&changed);
	int64_t before = metric_sum(&relay_metrics[RELAY_REFUSED], RELAY_REFUSED_RATE);
	for (unsigned i = 0; i < 60; i++)
		fd[i] = dial(0);
	expect_flow(&a, &b);
	/* Two shards, five each, one a second: those that were taken in wait for a request. */
	for (unsigned i = 0; i < PATIENCE && metric_sum(&relay_metrics[RELAY_REFUSED], RELAY_REFUSED_RATE) < before + 40; i++)
		usleep(5000);
	assert_true(metric_sum(&relay_metrics[RELAY_REFUSED], RELAY_REFUSED_RATE) >= before + 40);
	unsigned closed = 0;
	for (unsigned i = 0; i < 60; i++) {
		char byte;
		closed += recv(fd[i], &byte, 1, MSG_DONTWAIT) == 0;
		close(fd[i]);
	}
	assert_true(closed >= 40);
	expect_flow(&b, &a);
	house_reload(&options);
	join(&late, 1);
	expect_flow(&a, &late);
	close(a.fd);
	close(b.fd);
	close(late.fd);
}

/* Of one tailnet, on both shards, against one of another. */
static void a_tailnet_waits_alone(void **state)
{
	enum { PACKETS = 24 };
	struct peer a, b, other, to;
	(void)state;
	house_tell("\"TailnetBytesPerSecond\":400000,\"TailnetBurstBytes\":70000");
	house_allow("\"Tailnet\":7");
	/* Each is told the rate of its tailnet. */
	server_info = "{\"version\":2,\"TokenBucketBytesPerSecond\":400000,\"TokenBucketBytesBurst\":70000}";
	join(&a, 0);
	join(&b, 1);
	server_info = "{\"version\":2,\"TokenBucketBytesPerSecond\":1000000000,\"TokenBucketBytesBurst\":1000000}";
	house_allow("\"Tailnet\":8,\"TailnetBytesPerSecond\":1000000000,\"TailnetBurstBytes\":1000000");
	join(&other, 0);
	house_allow("");
	server_info = "{\"version\":2}";
	join(&to, 1);
	assert_int_equal(purses_count(relay.purses), 2);
	struct mono began = clock_mono();
	int64_t waits = metric_sum(&relay_metrics[RELAY_TAILNET_WAITS], 0);
	for (unsigned i = 0; i < PACKETS / 2; i++) {
		send_packet(&a, &to.key, load, 20000);
		send_packet(&b, &to.key, load, 20000);
	}
	/* The other one passes them: it has come before the last of theirs. */
	for (unsigned i = 0; i < 10; i++)
		send_packet(&other, &to.key, load, 30000);
	unsigned theirs = 0, its = 0;
	while (theirs + its < PACKETS + 10) {
		uint32_t len = 0;
		uint8_t type = read_frame(to.fd, &len);
		assert_true(type == DERPFRAME_RECV_PACKET || type == DERPFRAME_KEEP_ALIVE);
		if (type != DERPFRAME_RECV_PACKET)
			continue;
		theirs += len == KEY_LEN + 20000;
		its += len == KEY_LEN + 30000;
		if (theirs == PACKETS)
			assert_int_equal(its, 10);
	}
	/* 480 kB at 400 kB/s behind a burst of 70 kB and slices of a quarter of it. */
	int64_t took_ms = clock_mono().ms - began.ms;
	assert_true(took_ms >= (PACKETS * 20000 - 90000) * 1000 / 400000 - 100);
	assert_true(metric_sum(&relay_metrics[RELAY_TAILNET_WAITS], 0) > waits);
	house_tell("");
	close(a.fd);
	close(b.fd);
	close(other.fd);
	close(to.fd);
}

/* What waits under one rate goes on soon after another one came; who comes to be of another tailnet is told. */
static void other_rates_count_at_once(void **state)
{
	struct peer a, to;
	uint32_t len;
	(void)state;
	house_tell("\"ClientBytesPerSecond\":1000,\"ClientBurstBytes\":70000");
	server_info = "{\"version\":2,\"TokenBucketBytesPerSecond\":1000,\"TokenBucketBytesBurst\":70000}";
	join(&to, 1);
	house_allow("\"Tailnet\":11,\"TailnetBytesPerSecond\":900000,\"TailnetBurstBytes\":900000");
	join(&a, 0);
	int64_t waits = metric_sum(&relay_metrics[RELAY_RATE_WAITS], 0);
	for (unsigned i = 0; i < 2; i++)
		send_packet(&a, &to.key, load, sizeof load);
	expect_packet(&to, &a.key, load, sizeof load);
	for (unsigned i = 0; i < PATIENCE && metric_sum(&relay_metrics[RELAY_RATE_WAITS], 0) == waits; i++)
		usleep(5000);
	/* 50 s under the old one. */
	struct mono began = clock_mono();
	house_tell("");
	expect_packet(&to, &a.key, load, sizeof load);
	assert_in_range(clock_mono().ms - began.ms, 0, 25000);
	assert_int_equal(metric_sum(&relay_metrics[RELAY_RATE_WAITS], 0), waits + 1);
	do
		send_packet(&a, &to.key, "x", 1);
	while (read_frame(a.fd, &len) != DERPFRAME_SERVER_INFO);
	/* Its key is another tailnet's now, whose rate has changed as often. */
	house_allow("\"Tailnet\":12,\"TailnetBytesPerSecond\":800000,\"TailnetBurstBytes\":800000");
	house_tell("\"RecheckAll\":true");
	assert_int_equal(read_frame(a.fd, &len), DERPFRAME_SERVER_INFO);
	house_allow("");
	house_tell("");
	server_info = "{\"version\":2}";
	close(a.fd);
	close(to.fd);
}

static void read_held(struct shard *s, void *context)
{
	*(size_t *)context = s->room.held;
}

static size_t held_by_clients(unsigned shard)
{
	size_t bytes;
	house_run(shard, read_held, &bytes);
	return bytes;
}

/* What clients have said that may not go on yet lies in memory, and is counted. */
static void what_may_not_go_on_is_counted(void **state)
{
	enum { CLIENTS = 4, AT_LEAST = 100 };
	struct peer from[CLIENTS], to;
	(void)state;
	assert_int_equal(held_by_clients(0), 0);
	house_tell("\"ClientBytesPerSecond\":1000,\"ClientBurstBytes\":70000");
	server_info = "{\"version\":2,\"TokenBucketBytesPerSecond\":1000,\"TokenBucketBytesBurst\":70000}";
	join(&to, 1);
	for (unsigned i = 0; i < CLIENTS; i++) {
		join(&from[i], 0);
		send_packet(&from[i], &to.key, load, sizeof load);
		expect_packet(&to, &from[i].key, load, sizeof load);
		send_packet(&from[i], &to.key, load, sizeof load);
	}
	for (unsigned i = 0; i < PATIENCE && held_by_clients(0) < CLIENTS * AT_LEAST; i++)
		usleep(5000);
	assert_true(held_by_clients(0) >= CLIENTS * AT_LEAST);
	house_tell("");
	for (unsigned i = 0; i < CLIENTS; i++) {
		uint32_t len;
		assert_int_equal(read_frame(to.fd, &len), DERPFRAME_RECV_PACKET);
	}
	for (unsigned i = 0; i < PATIENCE && held_by_clients(0); i++)
		usleep(5000);
	assert_int_equal(held_by_clients(0), 0);
	server_info = "{\"version\":2}";
	for (unsigned i = 0; i < CLIENTS; i++)
		close(from[i].fd);
	close(to.fd);
}

static size_t in_line(unsigned shard)
{
	size_t count;
	house_run(shard, read_line, &count);
	return count;
}

static void lose(struct peer *from, struct peer *to, int64_t count)
{
	int64_t before = drops(RELAY_DROP_QUEUE_HEAD);
	for (unsigned i = 0; i < PATIENCE && drops(RELAY_DROP_QUEUE_HEAD) < before + count; i++) {
		send_packet(from, &to->key, load, sizeof load);
		expect_quiet(from);
	}
	assert_true(drops(RELAY_DROP_QUEUE_HEAD) >= before + count);
}

/* One that others have taken all from counts as waiting no longer than it is slow. */
static void who_has_nothing_left_leaves_the_line(void **state)
{
	struct peer from, slow, other;
	(void)state;
	change()->limit_queued = 100000;
	house_reload(&changed);
	join(&from, 1);
	join_stalled(&slow);
	join_stalled(&other);
	/* So many in a row give way: the kernel takes nothing of it any more. */
	lose(&from, &slow, 20);
	lose(&from, &other, 1);
	close(other.fd);
	for (unsigned i = 0; i < PATIENCE && in_line(0); i++) {
		while (recv(slow.fd, payload_in, sizeof payload_in, MSG_DONTWAIT) > 0)
			;
		usleep(5000);
	}
	assert_int_equal(in_line(0), 0);
	house_reload(&options);
	close(slow.fd);
	close(from.fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(slow_ones_share_what_may_wait),
		cmocka_unit_test(memory_is_bounded),
		cmocka_unit_test(accepts_are_bounded),
		cmocka_unit_test(a_tailnet_waits_alone),
		cmocka_unit_test(other_rates_count_at_once),
		cmocka_unit_test(what_may_not_go_on_is_counted),
		cmocka_unit_test(who_has_nothing_left_leaves_the_line),
	};
	return cmocka_run_group_tests(tests, house_open, house_close);
}
