/* Over UDP on this machine. Time stands still but for what the test lets pass, so that limits are exact. */
#include "stundoor.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <unistd.h>

#include <cmocka.h>

#include "metrics_relay.h"
#include "stun.h"

enum { TURNS = 200 };

static struct loop *loop;
static struct stundoor *door;
static uint16_t port;

static struct endpoint at_of(const char *text)
{
	struct endpoint at;
	assert_int_equal(endpoint_parse(bytes_text(text), &at), ERR_NONE);
	return at;
}

static void open_at(const char *at, unsigned per_second)
{
	struct diag why = {.text = ""};
	struct sockaddr_storage sa;
	socklen_t len = sizeof sa;
	clock_set_by_hand((struct mono){1000000}, (struct wall){0});
	loop = loop_new();
	int fd = stundoor_bind(at_of(at), &why);
	if (fd < 0)
		fail_msg("%s", why.text);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
	port = endpoint_from_sockaddr((struct sockaddr *)&sa).port;
	door = stundoor_open(loop, fd, per_second);
}

static void shut(void)
{
	stundoor_close(&door);
	assert_null(door);
	stundoor_close(&door);
	loop_free(&loop);
}

/* Connected, so that only answers of the address that was asked arrive. */
static int asker(const char *ip)
{
	struct ip address;
	struct sockaddr_storage sa;
	assert_int_equal(ip_parse(bytes_text(ip), &address), ERR_NONE);
	socklen_t len = endpoint_to_sockaddr((struct endpoint){address, port}, &sa);
	int fd = socket(sa.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), size = 1 << 20;
	assert_true(fd >= 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
	assert_int_equal(connect(fd, (struct sockaddr *)&sa, len), 0);
	return fd;
}

static void ask(int fd, uint32_t number)
{
	uint8_t request[STUN_REQUEST_LEN], id[STUN_ID_LEN] = {7};
	put_be32(id + 8, number);
	stun_encode_request(request, id);
	assert_int_equal(send(fd, request, sizeof request, 0), sizeof request);
}

/* How many of `most` come while the loop turns. */
static unsigned answers(int fd, unsigned most)
{
	unsigned count = 0;
	for (unsigned i = 0; i < TURNS && count < most; i++) {
		uint8_t in[100];
		ssize_t n;
		loop_turn(loop, 1);
		while ((n = recv(fd, in, sizeof in, 0)) > 0) {
			struct sockaddr_storage sa;
			socklen_t len = sizeof sa;
			uint8_t id[STUN_ID_LEN];
			struct endpoint here;
			memcpy(id, in + 8, sizeof id);
			assert_int_equal(id[0], 7);
			assert_true(stun_is_answer(bytes_of(in, (size_t)n), id));
			assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
			here = endpoint_from_sockaddr((struct sockaddr *)&sa);
			assert_int_equal(n, here.ip.family == IP_V6 ? 44 : 32);
			assert_int_equal(get_be16(in + 26) ^ 0x2112, here.port);
			if (here.ip.family == IP_V4)
				assert_int_equal(get_be32(in + 28) ^ 0x2112a442, get_be32(here.ip.byte));
			count++;
		}
	}
	return count;
}

/* The loop looks at the clock when it has waited. */
static void pass(int64_t ms)
{
	clock_step_by_hand(ms);
	loop_turn(loop, 0);
}

static int64_t counted(enum relay_stun what)
{
	return metric_sum(&relay_metrics[RELAY_STUN_REQUESTS], what);
}

/* From the address that was asked, whichever the machine has. */
static void it_answers_from_where_it_was_asked(void **state)
{
	static const struct {
		const char *at, *asked[4];
	} cases[] = {
		{"0.0.0.0:0", {"127.0.0.1", "127.0.0.2", "127.1.2.3"}},
		{"127.0.0.1:0", {"127.0.0.1"}},
		{"[::]:0", {"127.0.0.1", "127.0.0.3", "::1"}},
		{"[::1]:0", {"::1"}},
	};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		open_at(cases[i].at, 1000);
		for (unsigned k = 0; k < 4 && cases[i].asked[k]; k++) {
			int64_t before = counted(RELAY_STUN_SUCCESS);
			int fd = asker(cases[i].asked[k]);
			ask(fd, k);
			if (answers(fd, 1) != 1)
				fail_msg("%s is not answered at %s", cases[i].asked[k], cases[i].at);
			assert_int_equal(counted(RELAY_STUN_SUCCESS) - before, 1);
			close(fd);
		}
		shut();
	}
}

/* More than one look at the socket takes, each to its own. */
static void floods_are_answered(void **state)
{
	enum { ASKERS = 7, EACH = 150 };
	int fd[ASKERS];
	(void)state;
	open_at("127.0.0.1:0", 1000000);
	for (unsigned i = 0; i < ASKERS; i++)
		fd[i] = asker("127.0.0.1");
	for (unsigned n = 0; n < EACH; n++)
		for (unsigned i = 0; i < ASKERS; i++)
			ask(fd[i], n);
	for (unsigned i = 0; i < ASKERS; i++) {
		assert_int_equal(answers(fd[i], EACH), EACH);
		close(fd[i]);
	}
	shut();
}

/* Dropped, counted, and those between them are answered. */
static void other_datagrams_are_dropped(void **state)
{
	static const size_t sizes[] = {0, 1, 19, 20, 40, 1499, 1500, 1501, 9000};
	static uint8_t noise[9000];
	(void)state;
	open_at("127.0.0.1:0", 1000);
	int fd = asker("127.0.0.1");
	int64_t before = counted(RELAY_STUN_NOT_STUN);
	for (size_t i = 0; i < COUNT_OF(sizes); i++) {
		assert_int_equal(send(fd, noise, sizes[i], 0), sizes[i]);
		ask(fd, (uint32_t)i);
	}
	/* A request with more behind it than is read. */
	uint8_t request[STUN_REQUEST_LEN], id[STUN_ID_LEN] = {7};
	stun_encode_request(request, id);
	memcpy(noise, request, sizeof request);
	assert_int_equal(send(fd, noise, 1600, 0), 1600);
	ask(fd, 99);
	assert_int_equal(answers(fd, COUNT_OF(sizes) + 1), COUNT_OF(sizes) + 1);
	assert_int_equal(answers(fd, 1), 0);
	assert_int_equal(counted(RELAY_STUN_NOT_STUN) - before, COUNT_OF(sizes) + 1);
	close(fd);
	shut();
}

/* As a whole, not per source; noise does not use it up. */
static void answers_are_limited(void **state)
{
	enum { EACH = 30 };
	(void)state;
	open_at("127.0.0.1:0", 100);
	int fd[2] = {asker("127.0.0.1"), asker("127.0.0.1")};
	int64_t limited = counted(RELAY_STUN_LIMITED);
	for (unsigned n = 0; n < EACH; n++)
		for (unsigned i = 0; i < 2; i++) {
			assert_int_equal(send(fd[i], "noise", 5, 0), 5);
			ask(fd[i], n);
		}
	unsigned first = answers(fd[0], EACH) + answers(fd[1], EACH);
	assert_in_range(first, 10, 20); /* a tenth of a second's */
	assert_int_equal(counted(RELAY_STUN_LIMITED) - limited, 2 * EACH - first);
	/* A second has room for the burst again, and what passes in it for no more than the rate. */
	for (unsigned tenth = 0; tenth < 10; tenth++) {
		pass(100);
		for (unsigned n = 0; n < EACH; n++)
			ask(fd[0], n);
		assert_in_range(answers(fd[0], EACH), 9, 11);
	}
	stundoor_set_rate(door, 100000);
	pass(1000);
	for (unsigned n = 0; n < EACH; n++)
		ask(fd[0], n);
	assert_int_equal(answers(fd[0], EACH), EACH);
	stundoor_set_rate(NULL, 1);
	close(fd[0]);
	close(fd[1]);
	shut();
}

static void addresses_that_cannot_be(void **state)
{
	struct diag why = {.text = ""};
	(void)state;
	assert_int_equal(stundoor_bind(at_of("192.0.2.1:0"), &why), -1);
	assert_non_null(strstr(why.text, "192.0.2.1"));
	/* Two shards share a port. */
	open_at("127.0.0.1:0", 1000);
	struct endpoint same = at_of("127.0.0.1:0");
	same.port = port;
	int second = stundoor_bind(same, &why);
	assert_true(second >= 0);
	close(second);
	int fd = asker("127.0.0.1");
	ask(fd, 1);
	assert_int_equal(answers(fd, 1), 1);
	close(fd);
	shut();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_answers_from_where_it_was_asked), cmocka_unit_test(floods_are_answered),
		cmocka_unit_test(other_datagrams_are_dropped),        cmocka_unit_test(answers_are_limited),
		cmocka_unit_test(addresses_that_cannot_be),
	};
	metric_register(relay_metrics);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
