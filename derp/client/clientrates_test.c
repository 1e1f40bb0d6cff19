/* How fast clients may send, alone and with their tailnet: the relay of relay_house.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "metrics_relay.h"
#include "relay_house.h"

enum { LARGE = 60000, PATIENCE = 2000 };

static uint8_t load[LARGE];

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

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(a_tailnet_waits_alone), cmocka_unit_test(other_rates_count_at_once)};
	return cmocka_run_group_tests(tests, house_open, house_close);
}
