/* Whatever ends or is lost counts, by its reason: the relay of relay_house.h, spoken to over TCP. */
#include "shard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "clientparts.h"
#include "metrics_relay.h"
#include "relay_house.h"

enum { PATIENCE = 6000, LONG_MS = 30000, DISCO = 70 };

static const char mesh_key[] = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

static int64_t counted(enum relay_metric metric, unsigned value)
{
	return metric_sum(&relay_metrics[metric], value);
}

/* Until it has been counted so often; then no more of it may have come. */
static void await_count(enum relay_metric metric, unsigned value, int64_t wanted)
{
	for (unsigned i = 0; i < PATIENCE && counted(metric, value) < wanted; i++)
		usleep(5000);
	if (counted(metric, value) != wanted)
		fail_msg("%s %s: %lld instead of %lld", relay_metrics[metric].name, relay_metrics[metric].values[value], (long long)counted(metric, value),
			 (long long)wanted);
}

/* ---- handshakes ---- */

static void handshakes_fail_by_reason(void **state)
{
	(void)state;
	static char answer[8192];
	struct peer p;
	struct node_key key, other;
	struct private_key secret, other_secret;
	int64_t before[RELAY_FAIL_NONE];
	for (unsigned i = 0; i < RELAY_FAIL_NONE; i++)
		before[i] = counted(RELAY_HANDSHAKE_FAILURES, i);
	assert_int_equal(http("GET /derp HTTP/1.1\r\nHost: x\r\n\r\n", answer, sizeof answer), 426);
	await_count(RELAY_HANDSHAKE_FAILURES, RELAY_FAIL_NO_UPGRADE, ++before[RELAY_FAIL_NO_UPGRADE]);
	assert_int_equal(http("GET /derp HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Protocol: derp\r\n\r\n", answer,
			      sizeof answer),
			 400);
	await_count(RELAY_HANDSHAKE_FAILURES, RELAY_FAIL_NOT_WEBSOCKET, ++before[RELAY_FAIL_NOT_WEBSOCKET]);
	mint(&key, &secret, 0);
	mint(&other, &other_secret, 0);
	/* Another frame than its ClientInfo; one that is too short; JSON that is none. */
	begin(&p, &key, &secret, 0);
	send_frame(p.fd, DERPFRAME_PING, "12345678", 8);
	expect_end(p.fd);
	begin(&p, &key, &secret, 0);
	send_frame(p.fd, DERPFRAME_CLIENT_INFO, "x", 1);
	expect_end(p.fd);
	begin(&p, &key, &secret, 0);
	send_info(&p, "{\"version\":");
	expect_end(p.fd);
	await_count(RELAY_HANDSHAKE_FAILURES, RELAY_FAIL_FRAME, before[RELAY_FAIL_FRAME] += 3);
	/* Not the owner of its key. */
	begin(&p, &key, &other_secret, 0);
	send_info(&p, "{\"version\":2}");
	expect_end(p.fd);
	await_count(RELAY_HANDSHAKE_FAILURES, RELAY_FAIL_BOX, ++before[RELAY_FAIL_BOX]);
	begin(&p, &key, &secret, 0);
	close(p.fd);
	await_count(RELAY_HANDSHAKE_FAILURES, RELAY_FAIL_CLOSED, ++before[RELAY_FAIL_CLOSED]);
	for (unsigned i = 0; i < RELAY_FAIL_NONE; i++)
		assert_int_equal(counted(RELAY_HANDSHAKE_FAILURES, i), before[i]);
}

/* Ten seconds, however little it says. */
static void a_silent_guest_is_too_late(void **state)
{
	(void)state;
	struct peer p;
	struct node_key key;
	struct private_key secret;
	int64_t before = counted(RELAY_HANDSHAKE_FAILURES, RELAY_FAIL_TIMEOUT);
	house_pass(0);
	mint(&key, &secret, 0);
	begin(&p, &key, &secret, 0);
	house_pass(9900);
	write_all(p.fd, "\x02", 1);
	house_pass(99);
	assert_int_equal(counted(RELAY_HANDSHAKE_FAILURES, RELAY_FAIL_TIMEOUT), before);
	house_pass(1);
	await_count(RELAY_HANDSHAKE_FAILURES, RELAY_FAIL_TIMEOUT, before + 1);
	expect_end(p.fd);
}

/* ---- connections ---- */

static void recheck(struct shard *s, void *context)
{
	recheck_key(s, context);
}

static void end_key(struct shard *s, void *context)
{
	client_end_key(s, context);
}

static void connections_end_by_reason(void **state)
{
	(void)state;
	struct peer p, many[33];
	struct node_key key;
	struct private_key secret;
	int64_t before[RELAY_END_INTERNAL + 1], live = counted(RELAY_CONNECTIONS, 0);
	for (unsigned i = 0; i < COUNT_OF(before); i++)
		before[i] = counted(RELAY_DISCONNECTS, i);
	join(&p, 0);
	close(p.fd);
	await_count(RELAY_DISCONNECTS, RELAY_END_CLOSED, ++before[RELAY_END_CLOSED]);
	join(&p, 1);
	send_frame(p.fd, DERPFRAME_NOTE_PREFERRED, "", 0);
	expect_end(p.fd);
	join(&p, 1);
	send_frame(p.fd, DERPFRAME_CLOSE_PEER, &key, KEY_LEN); /* no sibling */
	expect_end(p.fd);
	await_count(RELAY_DISCONNECTS, RELAY_END_BAD_FRAME, before[RELAY_END_BAD_FRAME] += 2);
	mint(&key, &secret, 1);
	house_refuse(&key);
	begin(&p, &key, &secret, 0);
	send_info(&p, "{\"version\":2}");
	expect_end(p.fd);
	await_count(RELAY_DISCONNECTS, RELAY_END_NOT_ADMITTED, ++before[RELAY_END_NOT_ADMITTED]);
	join(&p, 1);
	house_refuse(&p.key);
	house_run(1, recheck, &p.key);
	expect_end(p.fd);
	await_count(RELAY_DISCONNECTS, RELAY_END_REVOKED, ++before[RELAY_END_REVOKED]);
	join(&p, 0);
	house_run(0, end_key, &p.key);
	expect_end(p.fd);
	await_count(RELAY_DISCONNECTS, RELAY_END_CLOSE_PEER, ++before[RELAY_END_CLOSE_PEER]);
	mint(&key, &secret, 0);
	for (unsigned i = 0; i < COUNT_OF(many); i++)
		join_as(&many[i], &key, &secret);
	await_count(RELAY_DISCONNECTS, RELAY_END_DUPLICATES, ++before[RELAY_END_DUPLICATES]);
	for (unsigned i = 0; i < COUNT_OF(many); i++)
		close(many[i].fd);
	await_count(RELAY_DISCONNECTS, RELAY_END_CLOSED, before[RELAY_END_CLOSED] += COUNT_OF(many) - 1);
	for (unsigned i = 0; i < COUNT_OF(before); i++)
		assert_int_equal(counted(RELAY_DISCONNECTS, i), before[i]);
	assert_int_equal(counted(RELAY_CONNECTIONS, 0), live);
}

/* ---- packets ---- */

static int64_t drops(enum relay_drop reason, bool disco)
{
	return counted(RELAY_PACKETS_DROPPED, 2 * reason + !disco);
}

static void make_disco(uint8_t *packet)
{
	memcpy(packet, "TS\xf0\x9f\x92\xac", 6);
}

static void packets_to_nobody(void **state)
{
	(void)state;
	struct peer p, sibling;
	struct node_key nobody, key;
	struct private_key secret;
	uint8_t packet[2 * KEY_LEN + DISCO] = {0};
	int64_t others = drops(RELAY_DROP_UNKNOWN_DEST, false), discos = drops(RELAY_DROP_UNKNOWN_DEST, true);
	int64_t bytes = counted(RELAY_BYTES_DROPPED, 2 * RELAY_DROP_UNKNOWN_DEST);
	for (unsigned home = 0; home < HOUSE_SHARDS; home++) {
		mint(&nobody, &secret, home);
		join(&p, 0);
		send_packet(&p, &nobody, packet, 100);
		make_disco(packet);
		send_packet(&p, &nobody, packet, DISCO);
		memset(packet, 0, 6);
		await_count(RELAY_PACKETS_DROPPED, 2 * RELAY_DROP_UNKNOWN_DEST + 1, ++others);
		await_count(RELAY_PACKETS_DROPPED, 2 * RELAY_DROP_UNKNOWN_DEST, ++discos);
		assert_int_equal(counted(RELAY_BYTES_DROPPED, 2 * RELAY_DROP_UNKNOWN_DEST), bytes += DISCO);
		close(p.fd);
	}
	/* A sibling thought that it was here. */
	char said[128];
	snprintf(said, sizeof said, "\"MeshKey\":\"%s\"", mesh_key);
	house_tell(said);
	mint(&key, &secret, 0);
	begin(&sibling, &key, &secret, 0);
	snprintf(said, sizeof said, "{\"version\":2,\"meshKey\":\"%s\"}", mesh_key);
	send_info(&sibling, said);
	assert_true(server_info_comes(&sibling));
	int64_t on_forward = drops(RELAY_DROP_UNKNOWN_DEST_ON_FWD, true);
	memcpy(packet, key.raw, KEY_LEN);
	memcpy(packet + KEY_LEN, nobody.raw, KEY_LEN);
	make_disco(packet + 2 * KEY_LEN);
	send_frame(sibling.fd, DERPFRAME_FORWARD_PACKET, packet, sizeof packet);
	await_count(RELAY_PACKETS_DROPPED, 2 * RELAY_DROP_UNKNOWN_DEST_ON_FWD, on_forward + 1);
	assert_int_equal(drops(RELAY_DROP_UNKNOWN_DEST, false), others);
	assert_int_equal(drops(RELAY_DROP_UNKNOWN_DEST, true), discos);
	close(sibling.fd);
	house_tell("");
}

/* One that takes nothing: what is too much, what it waited for, and what was on its way. Every packet is either dropped or came. */
static void a_slow_reader_loses_by_reason(void **state)
{
	(void)state;
	enum { COUNT = 1000, SIZE = 16384 };
	static uint8_t packet[SIZE];
	struct peer a, slow;
	struct node_key key;
	struct private_key secret;
	int64_t ends = counted(RELAY_DISCONNECTS, RELAY_END_WRITE_TIMEOUT), timeouts = counted(RELAY_WRITE_TIMEOUTS, 0);
	int64_t head = drops(RELAY_DROP_QUEUE_HEAD, false), gone = drops(RELAY_DROP_GONE, false), broken = drops(RELAY_DROP_WRITE_ERROR, false);
	int64_t sent = counted(RELAY_PACKETS_SENT, 0);
	mint(&key, &secret, 1);
	begin(&slow, &key, &secret, 32768);
	send_info(&slow, "{\"version\":2}");
	assert_true(server_info_comes(&slow));
	join(&a, 0);
	for (uint32_t n = 0; n < COUNT; n++)
		send_packet(&a, &key, packet, SIZE);
	await_count(RELAY_DISCONNECTS, RELAY_END_WRITE_TIMEOUT, ends + 1);
	assert_int_equal(counted(RELAY_WRITE_TIMEOUTS, 0), timeouts + 1);
	assert_true(drops(RELAY_DROP_QUEUE_HEAD, false) > head);
	assert_int_equal(drops(RELAY_DROP_GONE, false) - gone, QUEUE_DEPTH);
	assert_true(drops(RELAY_DROP_WRITE_ERROR, false) > broken);
	int64_t given = counted(RELAY_PACKETS_SENT, 0) - sent;
	assert_true(drops(RELAY_DROP_WRITE_ERROR, false) - broken <= given);
	assert_int_equal(given + drops(RELAY_DROP_QUEUE_HEAD, false) - head + drops(RELAY_DROP_GONE, false) - gone, COUNT);
	close(slow.fd);
	close(a.fd);
}

/* ---- figures ---- */

static int64_t observed(enum relay_metric metric)
{
	const struct metric *m = &relay_metrics[metric];
	int64_t count = 0;
	unsigned i = 0;
	for (; m->values[i]; i++)
		count += metric_sum(m, i);
	return count + metric_sum(m, i);
}

/* Packets wait; when the reader goes on, they tell how long. False: it was too slow, and was closed. */
static bool waits_are_measured(void)
{
	enum { COUNT = 1000, SIZE = 16384 };
	static uint8_t packet[SIZE];
	struct peer a, slow;
	struct node_key key;
	struct private_key secret;
	uint32_t len;
	uint8_t read = DERPFRAME_RECV_PACKET;
	int64_t head = drops(RELAY_DROP_QUEUE_HEAD, false);
	mint(&key, &secret, 0);
	begin(&slow, &key, &secret, 32768);
	send_info(&slow, "{\"version\":2}");
	assert_true(server_info_comes(&slow));
	join(&a, 0);
	for (unsigned n = 0; n < COUNT; n++)
		send_packet(&a, &key, packet, SIZE);
	for (int64_t begun = clock_mono().ms; drops(RELAY_DROP_QUEUE_HEAD, false) == head; usleep(5000))
		assert_true(clock_mono().ms - begun < LONG_MS);
	usleep(50000);
	while (read == DERPFRAME_RECV_PACKET && atomic_load(&relay.shard[0]->queue_ms) < 1)
		read = read_frame(slow.fd, &len);
	close(slow.fd);
	close(a.fd);
	return read == DERPFRAME_RECV_PACKET;
}

static void writes_and_waits_are_measured(void **state)
{
	(void)state;
	int64_t writes = observed(RELAY_WRITE_FRAMES);
	unsigned tries = 1;
	while (!waits_are_measured())
		assert_true(++tries < 10);
	assert_true(observed(RELAY_WRITE_FRAMES) > writes);
}

/* Every connection within ten seconds, those that end meanwhile left aside. Time stands still from here on. */
static void round_trips_are_looked_at(void **state)
{
	(void)state;
	struct peer p[3];
	int64_t looked;
	house_pass(0);
	for (unsigned i = 0; i < COUNT_OF(p); i++)
		join(&p[i], i % HOUSE_SHARDS);
	/* The round that is under way may have begun without them. */
	house_pass(10000);
	looked = observed(RELAY_TCP_RTT);
	for (unsigned i = 0; i < 2 * 100; i++)
		house_pass(100);
	assert_in_range(observed(RELAY_TCP_RTT) - looked, 1 * COUNT_OF(p), 3 * COUNT_OF(p));
	for (unsigned i = 0; i < COUNT_OF(p); i++)
		close(p[i].fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(handshakes_fail_by_reason),     cmocka_unit_test(connections_end_by_reason),     cmocka_unit_test(packets_to_nobody),
		cmocka_unit_test(a_slow_reader_loses_by_reason), cmocka_unit_test(writes_and_waits_are_measured), cmocka_unit_test(round_trips_are_looked_at),
		cmocka_unit_test(a_silent_guest_is_too_late),
	};
	return cmocka_run_group_tests(tests, house_open, house_close);
}
