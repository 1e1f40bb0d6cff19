/* A packet to itself through the relay of relay_house.h, and what is said when it does not come back. */
#include "roundtrip.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "metrics_relay.h"
#include "relay_house.h"

static struct loop *loop;
static struct relay other; /* the same but for what a test changes */

struct heard {
	unsigned times;
	bool good;
	char text[256];
};

static void on_answer(void *context, bool good, const char *text)
{
	struct heard *h = context;
	h->times++;
	h->good = good;
	snprintf(h->text, sizeof h->text, "%s", text);
}

static void await(const struct heard *h)
{
	for (unsigned i = 0; i < 10000 && !h->times; i++)
		loop_turn(loop, 10);
	assert_int_equal(h->times, 1);
}

static struct relay *changed(void)
{
	memcpy(&other, &relay, sizeof other);
	return &other;
}

/* What one made for this relay says. */
static struct heard ask(const struct relay *r)
{
	struct heard h = {0};
	struct roundtrip *t = roundtrip_new(loop, r);
	roundtrip_ask(t, on_answer, &h);
	await(&h);
	roundtrip_free(&t);
	return h;
}

static void says(struct heard h, bool good, const char *part)
{
	if (h.good != good || !strstr(h.text, part))
		fail_msg("\"%s\" is not said: %d \"%s\"", part, h.good, h.text);
}

static void a_packet_comes_back(void **state)
{
	(void)state;
	says(ask(&relay), true, "a packet to itself came back");
}

static void one_is_under_way_for_all_who_ask(void **state)
{
	(void)state;
	struct heard first = {0}, second = {0}, third = {0};
	struct roundtrip *t = roundtrip_new(loop, &relay);
	int64_t before = metric_sum(&relay_metrics[RELAY_ACCEPTS], 0);
	roundtrip_ask(t, on_answer, &first);
	roundtrip_ask(t, on_answer, &second);
	assert_int_equal(first.times + second.times, 0);
	await(&first);
	await(&second);
	assert_true(first.good && second.good);
	roundtrip_ask(t, on_answer, &third);
	assert_int_equal(third.times, 1);
	assert_string_equal(third.text, first.text);
	assert_int_equal(metric_sum(&relay_metrics[RELAY_ACCEPTS], 0) - before, 1);
	/* It grows old. */
	for (unsigned i = 0; i < 1000 && third.times; i++) {
		loop_turn(loop, 10);
		third.times = 0;
		roundtrip_ask(t, on_answer, &third);
	}
	await(&third);
	assert_int_equal(metric_sum(&relay_metrics[RELAY_ACCEPTS], 0) - before, 2);
	roundtrip_free(&t);
}

static void keys_live_on_every_shard(void **state)
{
	(void)state;
	bool lives[HOUSE_SHARDS] = {false};
	for (unsigned i = PROBEKEYS_OWN; i < PROBEKEYS_COUNT; i++)
		lives[relay_home(&relay, &relay.probes.key[i].node)] = true;
	for (unsigned i = 0; i < HOUSE_SHARDS; i++)
		assert_true(lives[i]);
}

/* Nobody is asked about them, even where nobody answers. */
static void coordinators_take_no_part(void **state)
{
	(void)state;
	unsigned before = atomic_load(&house_questions);
	atomic_store(&house_status, 0);
	says(ask(&relay), true, "came back");
	atomic_store(&house_status, 200);
	assert_int_equal(atomic_load(&house_questions), before);
}

static int listen_silently(struct relay *r, bool listens)
{
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof sa;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, len), 0);
	assert_int_equal(listens ? listen(fd, 8) : 0, 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
	r->port.at.port = ntohs(sa.sin_port);
	return fd;
}

static void nobody_listens(void **state)
{
	(void)state;
	struct relay *r = changed();
	int fd = listen_silently(r, false);
	says(ask(r), false, "listen.relay cannot be dialed: ");
	atomic_store(&r->draining, true);
	says(ask(r), false, "it drains: its doors are shut");
	close(fd);
}

static void it_drains_with_open_doors(void **state)
{
	(void)state;
	struct relay *r = changed();
	atomic_store(&r->draining, true);
	says(ask(r), true, "; it drains");
}

static void a_listener_that_says_nothing(void **state)
{
	(void)state;
	struct relay *r = changed();
	int fd = listen_silently(r, true);
	says(ask(r), false, "the upgrade to DERP: nothing within 2 s");
	close(fd);
}

static void another_relay_answers(void **state)
{
	(void)state;
	struct relay *r = changed();
	r->public_key.raw[0] ^= 1;
	says(ask(r), false, "another relay answers there");
}

/* To the relay it is a stranger whom coordinators refuse. */
static void it_is_not_admitted(void **state)
{
	(void)state;
	struct relay *r = changed();
	probekeys_mint(&r->probes);
	for (unsigned i = PROBEKEYS_OWN + 1; i < PROBEKEYS_COUNT; i++)
		r->probes.key[i] = r->probes.key[PROBEKEYS_OWN];
	house_refuse(&r->probes.key[PROBEKEYS_OWN].node);
	says(ask(r), false, "DERP's handshake: ");
}

static void its_end_answers(void **state)
{
	(void)state;
	struct heard h = {0};
	struct roundtrip *t = roundtrip_new(loop, &relay);
	roundtrip_ask(t, on_answer, &h);
	loop_turn(loop, 0);
	roundtrip_free(&t);
	assert_null(t);
	assert_int_equal(h.times, 1);
	if (!h.good) /* that was no faster */
		assert_string_equal(h.text, "the process ends");
}

static int open_house(void **state)
{
	loop = loop_new();
	return house_open(state);
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
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_packet_comes_back),
		cmocka_unit_test(one_is_under_way_for_all_who_ask),
		cmocka_unit_test(keys_live_on_every_shard),
		cmocka_unit_test(coordinators_take_no_part),
		cmocka_unit_test(nobody_listens),
		cmocka_unit_test(it_drains_with_open_doors),
		cmocka_unit_test(a_listener_that_says_nothing),
		cmocka_unit_test(another_relay_answers),
		cmocka_unit_test(it_is_not_admitted),
		cmocka_unit_test(its_end_answers),
	};
	return cmocka_run_group_tests(tests, open_house, close_house);
}
