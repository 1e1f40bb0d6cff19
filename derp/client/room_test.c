/* Limits of the relay of relay_house.h: who gives way, and who notices nothing. A sibling is played: it takes nothing. */
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
#include "outward.h"
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

/* Until so much more waits there, and does so for a while; the kernel takes the first of it. */
static void fill(struct peer *from, struct peer *to, size_t bytes)
{
	enum { A_WHILE = 20 };
	size_t before = queued(0);
	unsigned calm = 0;
	for (unsigned i = 0; i < PATIENCE && calm < A_WHILE; i++) {
		if (queued(0) >= before + bytes) {
			calm++;
			usleep(1000);
			continue;
		}
		calm = 0;
		send_packet(from, &to->key, load, sizeof load);
		expect_quiet(from);
	}
	assert_int_equal(calm, A_WHILE);
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

/* ---- a sibling ---- */

static struct outward {
	const struct outward_events *events;
	void *context;
	struct buffer in;
} sibling;
static struct node_key there; /* a key that it has */

struct outward *outward_open(struct loop *loop, const struct outward_wish *wish, const struct outward_events *events, void *context)
{
	(void)loop, (void)wish;
	sibling.events = events;
	sibling.context = context;
	return &sibling;
}

void outward_close(struct outward **outward)
{
	*outward = NULL;
}

bool outward_say(struct outward *outward, struct bytes text)
{
	(void)outward, (void)text;
	return true;
}

size_t outward_unsent(const struct outward *outward)
{
	(void)outward;
	return 256 << 10;
}

struct endpoint outward_peer(const struct outward *outward)
{
	(void)outward;
	return (struct endpoint){.port = 0};
}

bool outward_asked(const struct outward *outward)
{
	(void)outward;
	return true;
}

static void greet(struct shard *s, void *context)
{
	uint8_t key[DERPFRAME_SERVER_KEY_LEN], present[DERPFRAME_PRESENT_LEN];
	static const struct public_key its_key = {{7}};
	(void)context;
	assert_false(list_empty(&s->mesh.links));
	buffer_init(&sibling.in, 4096);
	derpframe_encode_server_key(key, &its_key);
	derpframe_encode_peer_present(present, &there, (struct endpoint){.port = 1}, DERPFRAME_IS_REGULAR);
	assert_false(buffer_add(&sibling.in, BYTES("HTTP/1.1 101 Switching Protocols\r\n\r\n")) || buffer_add(&sibling.in, bytes_of(key, sizeof key)) ||
		     buffer_add(&sibling.in, bytes_of(present, sizeof present)));
	sibling.events->on_connected(sibling.context);
	sibling.events->on_data(sibling.context, &sibling.in);
	buffer_clear(&sibling.in);
}

static void read_waiting(struct shard *s, void *context)
{
	*(size_t *)context = s->mesh.waiting;
}

static size_t to_sibling(void)
{
	size_t bytes;
	house_run(0, read_waiting, &bytes);
	return bytes;
}

static void read_dialed(struct shard *s, void *context)
{
	(void)s;
	*(bool *)context = sibling.events;
}

/* Its link lives on the first shard: that is what the name is for. */
static void begin_sibling(void)
{
	struct private_key secret;
	bool dialed = false;
	mint(&there, &secret, 1);
	house_tell(
		"\"MeshKey\":\"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\",\"Siblings\":[{\"Name\":\"a\",\"HostName\":\"a.example\"}]");
	for (unsigned i = 0; i < PATIENCE && !dialed; i++) {
		house_run(0, read_dialed, &dialed);
		usleep(1000);
	}
	house_run(0, greet, NULL);
}

static void end_sibling(void)
{
	house_tell("");
	for (unsigned i = 0; i < PATIENCE && to_sibling(); i++)
		usleep(5000);
	assert_int_equal(to_sibling(), 0);
	sibling = (struct outward){0};
}

/* The shards have told what they hold. */
static void expect_held(int64_t least, int64_t most)
{
	int64_t held = 0;
	for (unsigned i = 0; i < PATIENCE; i++, usleep(5000)) {
		held = atomic_load(&relay.held);
		if (held >= least && held <= most)
			return;
	}
	assert_in_range(held, least, most);
}

static void for_whom_more_waits_gives_way(void **state)
{
	enum { LIMIT = 6 << 20 };
	struct peer from, quick, slow[4];
	struct node_key key;
	(void)state;
	change();
	house_reload(&changed);
	begin_sibling();
	join(&from, 1);
	join(&quick, 0);
	for (unsigned i = 0; i < 4; i++)
		join_stalled(&slow[i]);
	/* The sibling's queue alone is more than there may be. The slow client's is as it was. */
	fill(&from, &slow[0], 20 * LARGE);
	size_t before = queued(0);
	int64_t memory = drops(RELAY_DROP_MEMORY);
	changed.limit_memory = LIMIT;
	house_reload(&changed);
	key = slow[0].key;
	for (unsigned i = 0; i < 250; i++) {
		send_packet(&from, &there, load, sizeof load);
		if (i % 10 == 0)
			expect_flow(&from, &quick);
	}
	expect_quiet(&from);
	for (unsigned i = 0; i < PATIENCE && drops(RELAY_DROP_MEMORY) == memory; i++)
		usleep(5000);
	assert_true(drops(RELAY_DROP_MEMORY) > memory);
	assert_in_range(to_sibling(), 20 * LARGE, LIMIT);
	assert_true(queued(0) + LARGE >= before); /* the kernel may have taken some */
	expect_held((int64_t)to_sibling(), LIMIT + (1 << 20));
	/* So it is when something comes for the client. */
	send_packet(&from, &key, load, sizeof load);
	expect_quiet(&from);
	expect_flow(&from, &quick);
	assert_true(queued(0) + LARGE >= before);
	/* More waits for clients: they give way, and the sibling's queue stays. */
	changed.limit_memory = 0;
	house_reload(&changed);
	for (unsigned i = 0; i < 4; i++)
		fill(&from, &slow[i], (i ? 31 : 8) * LARGE);
	size_t waits = to_sibling();
	before = queued(0);
	assert_true(before > waits + 8 * LARGE);
	changed.limit_memory = (int64_t)(before + waits);
	house_reload(&changed);
	for (unsigned i = 0; i < 20; i++) {
		send_packet(&from, &slow[3].key, load, sizeof load);
		expect_flow(&from, &quick);
	}
	expect_quiet(&from);
	assert_true(queued(0) < before);
	assert_int_equal(to_sibling(), waits);
	house_reload(&options);
	end_sibling();
	for (unsigned i = 0; i < 4; i++)
		close(slow[i].fd);
	await_zero();
	close(from.fd);
	close(quick.fd);
}

/* ---- WebSockets ---- */

static void read_bridged(struct shard *s, void *context)
{
	*(size_t *)context = s->room.bridged;
}

static size_t bridged(void)
{
	size_t bytes, sum = 0;
	for (unsigned i = 0; i < HOUSE_SHARDS; i++) {
		house_run(i, read_bridged, &bytes);
		sum += bytes;
	}
	return sum;
}

static void read_away(int fd, size_t len)
{
	static uint8_t away[4096];
	assert_true(len <= sizeof away);
	assert_int_equal(recv(fd, away, len, MSG_WAITALL), len);
}

/* Masked by zeros: what it says is as it is without. */
static void join_by_websocket(struct peer *p, unsigned home)
{
	static const char request[] = "GET /derp HTTP/1.1\r\nHost: relay\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
				      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: derp\r\n\r\n";
	static const char info[] = "{\"version\":2}";
	char head[1024] = "";
	mint(&p->key, &p->secret, home);
	p->fd = dial(SMALL_BUFFER);
	write_all(p->fd, request, strlen(request));
	for (size_t len = 0; !strstr(head, "\r\n\r\n"); len++) {
		assert_true(len < sizeof head - 1);
		assert_int_equal(recv(p->fd, head + len, 1, 0), 1);
	}
	assert_memory_equal(head, "HTTP/1.1 101 ", 13);
	read_away(p->fd, 2);
	uint32_t len;
	assert_int_equal(read_frame(p->fd, &len), DERPFRAME_SERVER_KEY);
	memcpy(p->relay.raw, payload_in + 8, KEY_LEN);
	const uint8_t message[] = {0x82, 0x80 | (DERPFRAME_HEADER_LEN + KEY_LEN + 40 + sizeof info - 1), 0, 0, 0, 0};
	write_all(p->fd, message, sizeof message);
	send_info(p, info);
	read_away(p->fd, 2);
	assert_true(server_info_comes(p));
}

static void what_waits_in_bridges_is_counted(void **state)
{
	enum { CLIENTS = 4 };
	struct peer from, slow[CLIENTS];
	(void)state;
	change()->limit_memory = INT64_C(1) << 40;
	house_reload(&changed);
	join(&from, 0);
	for (unsigned i = 0; i < CLIENTS; i++)
		join_by_websocket(&slow[i], 0);
	for (unsigned i = 0; i < PATIENCE && bridged(); i++)
		usleep(5000);
	assert_int_equal(bridged(), 0);
	for (unsigned i = 0; i < CLIENTS; i++)
		fill(&from, &slow[i], 4 * LARGE);
	/* They and the kernel take some more meanwhile. */
	bool counted = false;
	for (unsigned i = 0; i < PATIENCE && !counted; i++, usleep(5000)) {
		int64_t waits = (int64_t)(bridged() + queued(0));
		counted = atomic_load(&relay.held) >= waits;
	}
	assert_true(counted);
	assert_true(bridged() >= CLIENTS * LARGE);
	for (unsigned i = 0; i < CLIENTS; i++)
		close(slow[i].fd);
	await_zero();
	for (unsigned i = 0; i < PATIENCE && bridged(); i++)
		usleep(5000);
	assert_int_equal(bridged(), 0);
	expect_held(0, CLIENTS * LARGE);
	house_reload(&options);
	close(from.fd);
}

/* ---- the door ---- */

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

/* ---- who takes nothing ---- */

struct arrival {
	struct node_key key;
	bool bridged;
	int fd; /* its own end */
};

static void admit(struct shard *s, void *context)
{
	struct arrival *a = context;
	struct client_way way = {.peer = relay_at, .bridged = a->bridged};
	struct derpframe_client_info info = {.key = a->key, .version = 2};
	int pair[2];
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
	struct pipe *pipe = pipe_open(s->loop, pair[0], 1 << 16, NULL, NULL);
	pipe_read_pause(pipe);
	client_admit(s, pipe, &way, &info);
	a->fd = pair[1];
}

/* What lies between a bridge and the relay moves in large pieces, so that the bridge alone knows whether its client takes something. Time stands still from here on. */
static void bridges_have_a_watch_of_their_own(void **state)
{
	(void)state;
	house_pass(0);
	for (unsigned bridged = 0; bridged < 2; bridged++) {
		struct arrival a = {.bridged = bridged};
		struct peer from, to;
		struct private_key secret;
		int64_t ends = metric_sum(&relay_metrics[RELAY_DISCONNECTS], RELAY_END_WRITE_TIMEOUT);
		join(&from, 0);
		mint(&a.key, &secret, 0);
		to.key = a.key;
		int64_t before = metric_sum(&relay_metrics[RELAY_CONNECTIONS], 0);
		house_run(0, admit, &a);
		for (unsigned i = 0; i < PATIENCE && metric_sum(&relay_metrics[RELAY_CONNECTIONS], 0) == before; i++)
			usleep(5000);
		fill(&from, &to, 4 * LARGE);
		for (unsigned i = 0; i < 20; i++)
			house_pass(options.limit_write_ms / 10);
		assert_int_equal(metric_sum(&relay_metrics[RELAY_DISCONNECTS], RELAY_END_WRITE_TIMEOUT) - ends, !bridged);
		if (bridged)
			assert_true(queued(0) >= 4 * LARGE);
		close(a.fd);
		await_zero();
		close(from.fd);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(slow_ones_share_what_may_wait),
		cmocka_unit_test(memory_is_bounded),
		cmocka_unit_test(for_whom_more_waits_gives_way),
		cmocka_unit_test(what_waits_in_bridges_is_counted),
		cmocka_unit_test(accepts_are_bounded),
		cmocka_unit_test(what_may_not_go_on_is_counted),
		cmocka_unit_test(who_has_nothing_left_leaves_the_line),
		cmocka_unit_test(bridges_have_a_watch_of_their_own),
	};
	return cmocka_run_group_tests(tests, house_open, house_close);
}
