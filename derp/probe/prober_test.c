/* Rounds over the relays that coordinators name: what is found, what is said of it, and what is said again. Against the relay of relay_house.h. Time is what the test lets
 * pass: much while nothing is under way. */
#include "prober.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "jsonr.h"
#include "metric.h"
#include "relay_house.h"

enum { INTERVAL_MS = 1000 };

static struct loop *loop;
static struct prober *prober;

static void turn_until_it_wants(struct announcement *a)
{
	for (unsigned i = 0; i < 2000; i++) {
		*a = (struct announcement){0};
		prober_say(prober, a);
		if (a->wants_peers)
			return;
		house_pass(50);
		loop_turn(loop, 1);
	}
	fail_msg("it never wants to know whom to probe");
}

static void hear(const char *text)
{
	json_t *answer;
	assert_int_equal(jsonr_parse(bytes_text(text), 1 << 18, &answer, NULL), ERR_NONE);
	prober_heard(prober, answer);
	json_decref(answer);
}

static const struct figure *figure_of(const struct announcement *a, uint64_t to)
{
	for (size_t i = 0; i < a->figure_count; i++)
		if (a->figures[i].to == to)
			return &a->figures[i];
	return NULL;
}

static struct announcement await_figures(size_t count)
{
	struct announcement a = {0};
	for (unsigned i = 0; i < 3000 && a.figure_count < count; i++) {
		house_pass(10);
		loop_turn(loop, 10);
		prober_say(prober, &a);
	}
	assert_int_equal(a.figure_count, count);
	return a;
}

/* A port that nobody listens at while the descriptor is open. */
static int idle_port(int type, uint16_t *port)
{
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof sa;
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
	*port = ntohs(sa.sin_port);
	return fd;
}

static char named[1024];

/* 7: the house, which speaks no TLS; 8: nobody, and a STUN port that is mute; 9: no STUN, by name. */
static void name_three(uint16_t idle, uint16_t mute, bool more)
{
	snprintf(named, sizeof named,
		 "{\"Peers\":[{\"ID\":7,\"Name\":\"house\",\"HostName\":\"127.0.0.1\",\"DERPPort\":%u,\"STUNPort\":%u},"
		 "{\"ID\":8,\"Name\":\"no\\\"body\",\"HostName\":\"x.invalid\",\"IPv4\":\"127.0.0.1\",\"DERPPort\":%u,\"STUNPort\":%u,\"Mesh\":true},"
		 "{\"ID\":9,\"Name\":\"lost\",\"HostName\":\"name.invalid\",\"DERPPort\":%u,\"STUNPort\":0}],\"MorePeers\":%s}",
		 relay.port.at.port, relay.stun_port.at.port, idle, mute, idle, more ? "true" : "false");
}

static void expect_metrics(bool there)
{
	struct buffer out;
	buffer_init(&out, 1 << 22);
	assert_int_equal(metric_write(&out), ERR_NONE);
	assert_int_equal(buffer_add_byte(&out, 0), ERR_NONE);
	const char *text = (const char *)out.at;
	assert_int_equal(there, !!strstr(text, "fleetscale_derp_probe_good{target=\"house\"} 0\n"));
	assert_int_equal(there, !!strstr(text, "fleetscale_derp_probe_seconds{target=\"house\",part=\"stun\"} 0."));
	assert_int_equal(there, !!strstr(text, "fleetscale_derp_probe_good{target=\"no\\\"body\"} 0\n"));
	assert_null(strstr(text, "part=\"connect\""));
	buffer_clear(&out);
}

/* Ports that say nothing. */
struct silence {
	int tcp_fd, udp_fd;
	uint16_t tcp, udp;
};

static struct silence begin_probing(struct announcement *a)
{
	struct silence s;
	s.tcp_fd = idle_port(SOCK_STREAM, &s.tcp);
	s.udp_fd = idle_port(SOCK_DGRAM, &s.udp);
	prober = prober_new(loop, &relay, INTERVAL_MS);
	turn_until_it_wants(a);
	return s;
}

static void end_silence(struct silence s)
{
	close(s.tcp_fd);
	close(s.udp_fd);
}

static void it_probes_whom_it_was_told(void **state)
{
	(void)state;
	struct announcement a;
	struct silence silence = begin_probing(&a);
	assert_int_equal(a.peers_from, 0);
	struct node_key key;
	assert_int_equal(key_parse_node(bytes_text(a.probe_key), &key), ERR_NONE);
	assert_memory_equal(key.raw, relay.probes.key[PROBEKEYS_TOLD].node.raw, KEY_LEN);
	hear("{}");
	prober_say(prober, &a);
	assert_true(a.wants_peers);
	name_three(silence.tcp, silence.udp, true);
	hear(named);
	a = await_figures(3);
	assert_false(a.wants_peers);
	const struct figure *house = figure_of(&a, 7), *nobody = figure_of(&a, 8), *lost = figure_of(&a, 9);
	assert_int_equal(house->relay, FIGURE_TLS);
	assert_int_equal(house->stun, FIGURE_OK);
	assert_true(house->stun_us >= 0 && house->connect_us == FIGURE_UNKNOWN && house->trip_us == FIGURE_UNKNOWN);
	assert_int_equal(nobody->relay, FIGURE_UNREACHABLE);
	assert_int_equal(nobody->stun, FIGURE_LOST);
	assert_int_equal(nobody->mesh, FIGURE_NONE);
	assert_int_equal(lost->relay, FIGURE_UNREACHABLE);
	assert_int_equal(lost->stun, FIGURE_UNREACHABLE);
	expect_metrics(true);
	/* An announcement that nobody took is said again; one that was taken is not. */
	prober_say(prober, &a);
	assert_int_equal(a.figure_count, 3);
	hear("{}");
	prober_say(prober, &a);
	assert_int_equal(a.figure_count, 0);
	/* There were more: those behind the last one are next. */
	turn_until_it_wants(&a);
	assert_int_equal(a.peers_from, 9);
	hear("{\"Peers\":[]}");
	turn_until_it_wants(&a);
	assert_int_equal(a.peers_from, 0);
	prober_free(&prober);
	expect_metrics(false);
	end_silence(silence);
}

static void its_end_ends_probes(void **state)
{
	(void)state;
	struct announcement a;
	struct silence silence = begin_probing(&a);
	name_three(silence.tcp, silence.udp, false);
	hear(named);
	loop_turn(loop, 0);
	loop_turn(loop, 0);
	prober_free(&prober);
	for (unsigned i = 0; i < 20; i++)
		loop_turn(loop, 10);
	end_silence(silence);
}

static int open_house(void **state)
{
	loop = loop_new();
	int failed = house_open(state);
	if (!failed)
		house_pass(0);
	return failed;
}

static int close_house(void **state)
{
	int failed = house_close(state);
	loop_turn(loop, 0);
	loop_free(&loop);
	return failed;
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(it_probes_whom_it_was_told), cmocka_unit_test(its_end_ends_probes)};
	return cmocka_run_group_tests(tests, open_house, close_house);
}
