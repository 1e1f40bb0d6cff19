#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "house.h"

static void who_is_not_there_is_told_so(void **state)
{
	struct house *h = *state;
	subscribe_as(h, 5, (struct link_subscribe){.node = 1015});
	subscribe_as(h, 6, (struct link_subscribe){.node = 1001, .tailnet = 99});
	wait_end(h, 5, LINK_END_NO_NODE);
	wait_end(h, 6, LINK_END_NO_TAILNET);
}

static void a_clogged_stream_catches_up_in_one_frame(void **state)
{
	struct house *h = *state;
	subscribe(h, 0);
	wait_frames(h, 0, 1);
	subscription_credit(h->ears[0].subscription, false);
	rest(h, 30);
	join();
	ring_bell();
	rest(h, 30);
	join();
	ring_bell();
	rest(h, 30);
	assert_int_equal(h->ears[0].frame_count, 1);
	subscription_credit(h->ears[0].subscription, true);
	wait_frames(h, 0, 2);
	assert_int_equal(json_array_size(json_object_get(frame(h, 0, 1), "PeersChanged")), 2);
}

static void one_frame_when_one_is_wanted(void **state)
{
	struct house *h = *state;
	subscribe_as(h, 0, (struct link_subscribe){.node = 1000, .once = true});
	subscribe_as(h, 1, (struct link_subscribe){.node = 1001, .once = true, .omit_peers = true});
	wait_end(h, 0, LINK_END_DONE);
	wait_end(h, 1, LINK_END_DONE);
	assert_int_equal(h->ears[0].frame_count, 1);
	assert_non_null(json_object_get(frame(h, 0, 0), "Peers"));
	assert_null(json_object_get(frame(h, 1, 0), "Peers"));
}

static void drain_ends_streams(void **state)
{
	struct house *h = *state;
	subscribe(h, 0);
	wait_frames(h, 0, 1);
	intake_drain(h->in);
	wait_end(h, 0, LINK_END_DRAIN);
	rest(h, 50);
	assert_true(outside.drained);
}

static void an_idle_keeper_goes(void **state)
{
	struct house *h = *state;
	subscribe(h, 0);
	wait_frames(h, 0, 1);
	subscription_close(&h->ears[0].subscription);
	rest(h, 2500);
	subscribe(h, 1);
	wait_frames(h, 1, 1);
	assert_int_equal(outside.censuses, 2);
}

static void advertised_addresses_are_checked(void **state)
{
	static const struct {
		const char *listen, *advertise;
		enum err e;
	} cases[] = {
		{"127.0.0.1:4000", "", ERR_NONE},           {"127.0.0.1:4000", "10.0.0.1", ERR_NONE}, {"0.0.0.0:4000", "10.0.0.1:4000", ERR_NONE},
		{"0.0.0.0:4000", "", ERR_MALFORMED},        {"[::]:4000", "", ERR_MALFORMED},         {"127.0.0.1:4000", "mapper.example", ERR_MALFORMED},
		{"mapper.example:4000", "", ERR_MALFORMED},
	};
	struct diag why;
	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct mapper_options o = {.listen_link = (char *)(uintptr_t)cases[i].listen, .link_advertise = (char *)(uintptr_t)cases[i].advertise};
		assert_int_equal(intake_check(&o, &why), cases[i].e);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_HOUSE(who_is_not_there_is_told_so),  WITH_HOUSE(a_clogged_stream_catches_up_in_one_frame),
		WITH_HOUSE(one_frame_when_one_is_wanted), WITH_HOUSE(drain_ends_streams),
		WITH_HOUSE(an_idle_keeper_goes),          cmocka_unit_test(advertised_addresses_are_checked),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
