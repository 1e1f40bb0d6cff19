/* The relay of relay_house.h, spoken to over TCP. */
#include "shard.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "clientparts.h"
#include "jsonr.h"
#include "log.h"
#include "metrics_relay.h"
#include "relay_house.h"
#include "stun.h"

/* ---- tests ---- */

static void packets_reach_their_addressee(void **state)
{
	(void)state;
	struct peer p[4];
	for (unsigned i = 0; i < 4; i++)
		join(&p[i], i % HOUSE_SHARDS);
	static uint8_t big[DERPFRAME_PACKET_MAX];
	random_fill(big, sizeof big);
	static const uint32_t sizes[] = {0, 1, 61, 62, 1200, 16000, DERPFRAME_PACKET_MAX};
	for (unsigned i = 0; i < 4; i++) {
		for (unsigned k = 0; k < 4; k++) {
			for (size_t n = 0; n < COUNT_OF(sizes); n++) {
				send_packet(&p[i], &p[k].key, big, sizes[n]);
				expect_packet(&p[k], &p[i].key, big, sizes[n]);
			}
		}
	}
	for (unsigned i = 0; i < 4; i++)
		expect_quiet(&p[i]);
	for (unsigned i = 0; i < 4; i++)
		close(p[i].fd);
}

/* 4 MB in order, thirty in flight, through both paths. */
static void a_stream_arrives_whole(void **state)
{
	(void)state;
	for (unsigned home = 0; home < HOUSE_SHARDS; home++) {
		struct peer a, b;
		join(&a, 0);
		join(&b, home);
		uint8_t packet[1400];
		for (unsigned n = 0; n < 3000; n++) {
			memset(packet, (int)(n & 0xff), sizeof packet);
			put_be32(packet, n);
			send_packet(&a, &b.key, packet, sizeof packet);
			if (n < 30)
				continue;
			uint32_t len = 0;
			assert_int_equal(read_frame(b.fd, &len), DERPFRAME_RECV_PACKET);
			assert_int_equal(get_be32(payload_in + KEY_LEN), n - 30);
			assert_int_equal(payload_in[len - 1], (n - 30) & 0xff);
		}
		close(a.fd);
		close(b.fd);
	}
}

static void add_frame(struct buffer *out, unsigned type, struct bytes payload)
{
	uint8_t header[DERPFRAME_HEADER_LEN];
	derpframe_encode(header, (enum derpframe_type)type, (uint32_t)payload.len);
	assert_int_equal(buffer_add(out, bytes_of(header, sizeof header)), ERR_NONE);
	assert_int_equal(buffer_add(out, payload), ERR_NONE);
}

static void frames_may_come_byte_by_byte(void **state)
{
	(void)state;
	struct peer a;
	join(&a, 1);
	struct buffer said;
	buffer_init(&said, 4096);
	/* An unknown frame, a late ClientInfo, a pong, NotePreferred, a long ping, a packet to itself. */
	add_frame(&said, 0x77, BYTES("xyz"));
	add_frame(&said, DERPFRAME_CLIENT_INFO, BYTES("x"));
	add_frame(&said, DERPFRAME_PONG, BYTES(""));
	add_frame(&said, DERPFRAME_NOTE_PREFERRED, BYTES("\1"));
	add_frame(&said, DERPFRAME_PING, BYTES("12345678xx"));
	uint8_t packet[KEY_LEN + 3];
	memcpy(packet, a.key.raw, KEY_LEN);
	memset(packet + KEY_LEN, 'a', 3);
	add_frame(&said, DERPFRAME_SEND_PACKET, bytes_of(packet, sizeof packet));
	int one = 1;
	setsockopt(a.fd, IPPROTO_TCP, 1 /* TCP_NODELAY */, &one, sizeof one);
	for (size_t i = 0; i < said.len; i++) {
		write_all(a.fd, said.at + i, 1);
		usleep(200);
	}
	buffer_clear(&said);
	uint32_t got = 0;
	assert_int_equal(read_frame(a.fd, &got), DERPFRAME_PONG);
	assert_memory_equal(payload_in, "12345678", 8);
	expect_packet(&a, &a.key, "aaa", 3);
	close(a.fd);
}

static void breaches_end_the_connection(void **state)
{
	(void)state;
	static const struct {
		uint8_t type;
		uint32_t len;
	} cases[] = {
		{DERPFRAME_SEND_PACKET, 31},
		{DERPFRAME_SEND_PACKET, KEY_LEN + DERPFRAME_PACKET_MAX + 1},
		{DERPFRAME_NOTE_PREFERRED, 0},
		{DERPFRAME_NOTE_PREFERRED, 2},
		{DERPFRAME_PING, 7},
		{DERPFRAME_PING, 1001},
		{DERPFRAME_WATCH_CONNS, 0},
		{DERPFRAME_CLOSE_PEER, 32},
		{DERPFRAME_FORWARD_PACKET, 70},
	};
	int64_t length = metric_sum(&relay_metrics[RELAY_BAD_FRAMES], RELAY_BAD_LENGTH);
	int64_t forbidden = metric_sum(&relay_metrics[RELAY_BAD_FRAMES], RELAY_BAD_FORBIDDEN);
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct peer a;
		uint8_t header[DERPFRAME_HEADER_LEN];
		join(&a, i % HOUSE_SHARDS);
		derpframe_encode(header, cases[i].type, cases[i].len);
		write_all(a.fd, header, sizeof header);
		expect_end(a.fd);
	}
	assert_int_equal(metric_sum(&relay_metrics[RELAY_BAD_FRAMES], RELAY_BAD_LENGTH) - length, 6);
	assert_int_equal(metric_sum(&relay_metrics[RELAY_BAD_FRAMES], RELAY_BAD_FORBIDDEN) - forbidden, 3);
}

static struct node_key hard_of_hearing;

static void no_room_for_news(void *context)
{
	struct shard *s = context;
	struct member *m = directory_find(s->directory, &hard_of_hearing);
	assert_non_null(m);
	struct client *c = OWNER_OF(m, struct client, member);
	client_begin_sibling(c, hard_of_hearing.raw);
	c->watching = true;
	c->control.cap = 1;
	relay_count(RELAY_WATCHERS, 1);
	meshnews_watch(s, c->number);
}

/* Clients are walked while it is told of them, and it is the next one when it misses the first news. */
static void a_sibling_that_misses_news_ends(void **state)
{
	(void)state;
	struct peer a, b;
	join(&a, 0);
	join(&b, 0);
	hard_of_hearing = b.key;
	loop_post(house_workers[0].loop, no_room_for_news, house_workers[0].program);
	expect_end(b.fd);
	expect_quiet(&a);
	close(a.fd);
	assert_int_equal(metric_sum(&relay_metrics[RELAY_WATCHERS], 0), 0);
}

static void bad_handshakes_end(void **state)
{
	(void)state;
	struct peer a;
	struct node_key key;
	struct private_key secret, other;
	mint(&key, &secret, 0);
	key_mint(&other, &(struct public_key){{0}});
	/* Not its own key; a first frame of another type; JSON that is none; too short; far too long; plain garbage. */
	begin(&a, &key, &other, 0);
	send_info(&a, "{\"version\":2}");
	expect_end(a.fd);
	begin(&a, &key, &secret, 0);
	send_frame(a.fd, DERPFRAME_PING, "12345678", 8);
	expect_end(a.fd);
	begin(&a, &key, &secret, 0);
	send_info(&a, "{\"version\":\"2\"}");
	expect_end(a.fd);
	begin(&a, &key, &secret, 0);
	send_frame(a.fd, DERPFRAME_CLIENT_INFO, key.raw, KEY_LEN);
	expect_end(a.fd);
	begin(&a, &key, &secret, 0);
	write_all(a.fd, "\x02\x00\x04\x00\x01", 5);
	expect_end(a.fd);
	/* The largest that is allowed, in pieces; its box is none. */
	begin(&a, &key, &secret, 0);
	static uint8_t large[DERPFRAME_INFO_MAX];
	derpframe_encode(large, DERPFRAME_CLIENT_INFO, sizeof large - DERPFRAME_HEADER_LEN);
	for (size_t i = 0; i < sizeof large; i += 32768)
		write_all(a.fd, large + i, 32768);
	expect_end(a.fd);
	begin(&a, &key, &secret, 0);
	write_all(a.fd, "GET / HTTP/1.1\r\n\r\n", 18);
	expect_end(a.fd);
}

static void unknown_peers(void **state)
{
	(void)state;
	for (unsigned home = 0; home < HOUSE_SHARDS; home++) {
		struct peer a;
		struct node_key nobody;
		struct private_key secret;
		uint8_t disco[62] = {'T', 'S', 0xf0, 0x9f, 0x92, 0xac};
		uint32_t len = 0;
		join(&a, 0);
		mint(&nobody, &secret, home);
		send_packet(&a, &nobody, "data", 4);
		send_packet(&a, &nobody, disco, 61);
		expect_quiet(&a);
		for (unsigned i = 0; i < 10; i++)
			send_packet(&a, &nobody, disco, 62);
		for (unsigned i = 0; i < 3; i++) {
			assert_int_equal(read_frame(a.fd, &len), DERPFRAME_PEER_GONE);
			assert_int_equal(len, KEY_LEN + 1);
			assert_memory_equal(payload_in, nobody.raw, KEY_LEN);
			assert_int_equal(payload_in[KEY_LEN], DERPFRAME_GONE_NOT_HERE);
		}
		expect_quiet(&a);
		close(a.fd);
	}
}

static void who_heard_is_told_of_leaving(void **state)
{
	(void)state;
	for (unsigned home = 0; home < HOUSE_SHARDS; home++) {
		struct peer a, b, c;
		uint32_t len = 0;
		join(&a, home);
		join(&b, 0);
		join(&c, 0);
		send_packet(&a, &b.key, "hello", 5);
		expect_packet(&b, &a.key, "hello", 5);
		close(a.fd);
		assert_int_equal(read_frame(b.fd, &len), DERPFRAME_PEER_GONE);
		assert_memory_equal(payload_in, a.key.raw, KEY_LEN);
		assert_int_equal(payload_in[KEY_LEN], DERPFRAME_GONE_DISCONNECTED);
		expect_quiet(&b);
		expect_quiet(&c);
		close(b.fd);
		close(c.fd);
	}
}

static void duplicates_share_a_key(void **state)
{
	(void)state;
	struct peer a, b, old, new;
	uint32_t len = 0;
	join(&a, 0);
	join(&old, 1);
	join_as(&new, &old.key, &old.secret);
	b = old;
	send_packet(&a, &b.key, "1", 1);
	expect_packet(&new, &a.key, "1", 1);
	expect_quiet(&old); /* a frame of it makes it the active one */
	send_packet(&a, &b.key, "2", 1);
	expect_packet(&old, &a.key, "2", 1);
	expect_quiet(&new);
	/* With one of two gone the other has it all, and nobody was told that the key left. */
	send_packet(&new, &a.key, "3", 1);
	expect_packet(&a, &b.key, "3", 1);
	close(new.fd);
	usleep(50000);
	expect_quiet(&a);
	send_packet(&a, &b.key, "4", 1);
	expect_packet(&old, &a.key, "4", 1);
	close(old.fd);
	assert_int_equal(read_frame(a.fd, &len), DERPFRAME_PEER_GONE);
	close(a.fd);
}

static void foreign_keys_are_refused(void **state)
{
	(void)state;
	struct peer a;
	struct node_key key;
	struct private_key secret;
	mint(&key, &secret, 1);
	house_refuse(&key);
	unsigned before = atomic_load(&house_questions);
	for (unsigned i = 0; i < 3; i++) {
		begin(&a, &key, &secret, 0);
		send_info(&a, "{\"version\":2}");
		expect_end(a.fd);
	}
	/* Remembered. */
	assert_int_equal(atomic_load(&house_questions) - before, 1);
}

static void without_coordinators_known_keys_stay(void **state)
{
	(void)state;
	struct peer a, b;
	struct node_key key, unknown;
	struct private_key secret, unknown_secret;
	mint(&key, &secret, 0);
	mint(&unknown, &unknown_secret, 0);
	join_as(&a, &key, &secret);
	close(a.fd);
	usleep(250000); /* past verify.cache */
	static const int silences[] = {0, 503};
	for (size_t i = 0; i < COUNT_OF(silences); i++) {
		atomic_store(&house_status, silences[i]);
		join_as(&a, &key, &secret);
		close(a.fd);
		begin(&b, &unknown, &unknown_secret, 0);
		send_info(&b, "{\"version\":2}");
		expect_end(b.fd);
	}
	/* Our token is not good: nobody is admitted. */
	atomic_store(&house_status, 403);
	begin(&b, &unknown, &unknown_secret, 0);
	send_info(&b, "{\"version\":2}");
	expect_end(b.fd);
	atomic_store(&house_status, 200);
	join_as(&b, &unknown, &unknown_secret);
	close(b.fd);
}

static void pages(void **state)
{
	(void)state;
	static const struct {
		const char *request;
		int status;
		const char *has;
	} cases[] = {
		{"GET /derp HTTP/1.1\r\nHost: x\r\n\r\n", 426, "DERP requires connection upgrade\n"},
		{"POST /derp HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", 426, "DERP requires connection upgrade\n"},
		{"GET /derp HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Protocol: derp\r\n\r\n", 400,
		 "Sec-WebSocket-Key"},
		{"GET /derp/probe HTTP/1.1\r\nHost: x\r\n\r\n", 200, "ccess-control-allow-origin: *"},
		{"HEAD /derp/latency-check HTTP/1.1\r\nHost: x\r\n\r\n", 200, ""},
		{"POST /derp/probe HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", 405, "bogus probe method\n"},
		{"GET /generate_204 HTTP/1.1\r\nHost: x\r\nX-Tailscale-Challenge: ts_127.0.0.1\r\n\r\n", 204, "response ts_127.0.0.1\r\n"},
		{"GET /robots.txt HTTP/1.1\r\nHost: x\r\n\r\n", 200, "User-agent: *\nDisallow: /\n"},
		{"GET / HTTP/1.1\r\nHost: x\r\n\r\n", 200, "relay"},
		{"GET /what/ever?x=1 HTTP/1.1\r\nHost: x\r\n\r\n", 200, "nosniff"},
	};
	static char answer[8192];
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		assert_int_equal(http(cases[i].request, answer, sizeof answer), cases[i].status);
		assert_non_null(strcasestr(answer, cases[i].has));
	}
	assert_int_equal(http("GET /generate_204 HTTP/1.1\r\nHost: x\r\nX-Tailscale-Challenge: a b\r\n\r\n", answer, sizeof answer), 204);
	assert_null(strcasestr(answer, "x-tailscale-response"));
}

static void stun_is_answered(void **state)
{
	(void)state;
	static const uint8_t request[] = {0,    1,    0, 0x14, 0x21, 0x12, 0xa4, 0x42, 1,   2,   3,   4,   5,    6,    7, 8, 9,    10,   11,   12,
					  0x80, 0x22, 0, 8,    't',  'a',  'i',  'l',  'n', 'o', 'd', 'e', 0x80, 0x28, 0, 4, 0xb3, 0x2c, 0x37, 0x0f};
	struct sockaddr_storage sa;
	socklen_t len = endpoint_to_sockaddr(relay.stun_port.at, &sa);
	for (unsigned i = 0; i < 16; i++) {
		int fd = socket(AF_INET, SOCK_DGRAM, 0);
		struct timeval wait = {.tv_sec = 5};
		struct sockaddr_in here = {0};
		socklen_t here_len = sizeof here;
		uint8_t answer[100] = {0};
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
		assert_int_equal(connect(fd, (struct sockaddr *)&sa, len), 0);
		assert_int_equal(getsockname(fd, (struct sockaddr *)&here, &here_len), 0);
		assert_int_equal(send(fd, "garbage", 7, 0), 7);
		assert_int_equal(send(fd, request, sizeof request, 0), sizeof request);
		assert_int_equal(recv(fd, answer, sizeof answer, 0), 32);
		assert_int_equal(get_be16(answer + 26) ^ 0x2112, ntohs(here.sin_port));
		close(fd);
	}
}

/* While the relay runs: what a start would refuse is told, and no port is in the way. */
static void options_are_checked(void **state)
{
	static const struct {
		size_t option;
		const char *value, *why;
	} cases[] = {
		{offsetof(struct relay_options, coordinators), "ftp://c.example", "ftp://c.example"},
		{offsetof(struct relay_options, relay_coordinators_key), "ed25519:00", "relay.coordinators_key"},
		{offsetof(struct relay_options, proxies_trusted), "nobody", "nobody"},
		{offsetof(struct relay_options, bootstrap_names), "a/b", "bootstrap.names"},
		{offsetof(struct relay_options, limit_rate_file), "/nowhere/rates.json", "/nowhere/rates.json"},
		{offsetof(struct relay_options, relay_hostname), "", "relay.hostname"},
	};
	char taken[ENDPOINT_TEXT_MAX];
	struct relay_options other = options;
	struct diag why = {0};
	(void)state;
	endpoint_format(taken, relay.port.at);
	other.listen_relay = taken;
	assert_int_equal(relay_check(&other, &why), ERR_NONE);
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		char text[64];
		other = options;
		snprintf(text, sizeof text, "%s", cases[i].value);
		*(char **)((char *)&other + cases[i].option) = text;
		assert_int_not_equal(relay_check(&other, &why), ERR_NONE);
		if (!strstr(why.text, cases[i].why))
			fail_msg("%s, not of %s", why.text, cases[i].why);
	}
}

/* Announced, and alone on its ports. */
static void it_announces_itself(void **state)
{
	(void)state;
	char taken[ENDPOINT_TEXT_MAX];
	struct relay second;
	struct relay_options same = options;
	struct diag why = {0};
	endpoint_format(taken, relay.port.at);
	same.listen_relay = taken;
	assert_int_equal(relay_open(&second, &same, &why), ERR_EXISTS);
	relay_close(&second);
	endpoint_format(taken, relay.stun_port.at);
	same.listen_relay = "127.0.0.1:0";
	same.listen_stun = taken;
	assert_int_equal(relay_open(&second, &same, &why), ERR_EXISTS);
	relay_close(&second);
	assert_true(atomic_load(&house_announcements) >= 1);
	assert_null(relay_not_ready(&relay));
}

/* The reader stops, a thousand large packets come, it goes on in time: what it gets last is the newest, without a gap. Traffic of others flows meanwhile. */
static void a_slow_reader_loses_the_oldest(void **state)
{
	(void)state;
	enum { COUNT = 1000, SIZE = 16384 };
	struct peer a, slow, quick;
	struct node_key key;
	struct private_key secret;
	static uint8_t packet[SIZE];
	house_pass(0);
	mint(&key, &secret, 1);
	begin(&slow, &key, &secret, 32768);
	send_info(&slow, "{\"version\":2}");
	assert_true(server_info_comes(&slow));
	join(&a, 0);
	join(&quick, 1);
	for (uint32_t n = 0; n < COUNT; n++) {
		put_be32(packet, n);
		send_packet(&a, &key, packet, SIZE);
	}
	send_packet(&a, &quick.key, "x", 1);
	expect_packet(&quick, &a.key, "x", 1);
	uint32_t len, last = 0, run = 0, got = 0;
	while (last != COUNT - 1) {
		assert_int_equal(read_frame(slow.fd, &len), DERPFRAME_RECV_PACKET);
		uint32_t n = get_be32(payload_in + KEY_LEN);
		assert_true(!got || n > last);
		run = n == last + 1 ? run + 1 : 1;
		last = n;
		got++;
	}
	assert_true(run >= QUEUE_DEPTH);
	assert_true(got < COUNT);
	/* Left alone it is closed. */
	for (uint32_t n = 0; n < COUNT; n++)
		send_packet(&a, &key, packet, SIZE);
	send_packet(&a, &quick.key, "x", 1);
	expect_packet(&quick, &a.key, "x", 1);
	for (unsigned i = 0; i < 20; i++)
		house_pass(options.limit_write_ms / 10);
	while (read_frame(slow.fd, &len))
		;
	assert_true(recv(slow.fd, payload_in, 1, 0) == 0 || errno == ECONNRESET);
	close(slow.fd);
	close(a.fd);
	close(quick.fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(packets_reach_their_addressee),
		cmocka_unit_test(a_stream_arrives_whole),
		cmocka_unit_test(frames_may_come_byte_by_byte),
		cmocka_unit_test(breaches_end_the_connection),
		cmocka_unit_test(a_sibling_that_misses_news_ends),
		cmocka_unit_test(bad_handshakes_end),
		cmocka_unit_test(unknown_peers),
		cmocka_unit_test(who_heard_is_told_of_leaving),
		cmocka_unit_test(duplicates_share_a_key),
		cmocka_unit_test(foreign_keys_are_refused),
		cmocka_unit_test(without_coordinators_known_keys_stay),
		cmocka_unit_test(pages),
		cmocka_unit_test(stun_is_answered),
		cmocka_unit_test(options_are_checked),
		cmocka_unit_test(it_announces_itself),
		/* From here on time stands still. */
		cmocka_unit_test(a_slow_reader_loses_the_oldest),
	};
	return cmocka_run_group_tests(tests, house_open, house_close);
}
