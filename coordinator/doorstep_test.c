#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "doorstep.h"
#include "rate.h"

struct heard {
	unsigned status;
	bool retry;
};

static struct bytes no_header(const struct exchange *x, const char *name)
{
	(void)x, (void)name;
	return BYTES_NONE;
}

static void on_header(struct exchange *x, const char *name, struct bytes value)
{
	struct heard *h = x->owner;

	h->retry |= strcmp(name, "Retry-After") == 0 && value.len > 0;
}

static void on_reply(struct exchange *x, unsigned status, const char *type, struct bytes body)
{
	struct heard *h = x->owner;

	(void)type, (void)body;
	h->status = status;
}

static const struct carrier carrier = {.header = no_header, .add_header = on_header, .reply = on_reply};

struct setup {
	struct coordinator c;
	struct heard heard;
	struct exchange x;
};

static void ask(struct setup *s, const char *from)
{
	struct endpoint peer = {0};

	if (from)
		assert_int_equal(endpoint_parse(bytes_text(from), &peer), ERR_NONE);
	s->heard = (struct heard){0};
	s->x = (struct exchange){.carrier = &carrier, .program = &s->c, .owner = &s->heard, .peer = peer};
}

static int set_up(void **state)
{
	struct setup *s = x_zalloc(sizeof *s);

	s->c.handshake_rate = rate_new(2, 16);
	s->c.refusal_rate = rate_new(2, 16);
	clock_set_by_hand((struct mono){1000}, (struct wall){0});
	*state = s;
	return 0;
}

static int tear_down(void **state)
{
	struct setup *s = *state;

	rate_free(&s->c.handshake_rate);
	rate_free(&s->c.refusal_rate);
	free(s);
	return 0;
}

static void test_handshakes_by_address(void **state)
{
	struct setup *s = *state;

	for (int i = 0; i < 2; i++) {
		ask(s, "192.0.2.1:1000");
		assert_true(doorstep_handshake(&s->x));
	}
	ask(s, "192.0.2.1:2000");
	assert_false(doorstep_handshake(&s->x));
	assert_int_equal(s->heard.status, 429);
	assert_true(s->heard.retry);
	ask(s, "192.0.2.2:1000");
	assert_true(doorstep_handshake(&s->x));
}

static void test_a_network_of_six_is_one_caller(void **state)
{
	struct setup *s = *state;
	static const char *const from[] = {"[2001:db8:0:1::1]:1", "[2001:db8:0:1::2]:1", "[2001:db8:0:1:ffff::3]:1", "[2001:db8:0:2::1]:1"};

	for (size_t i = 0; i < COUNT_OF(from); i++) {
		ask(s, from[i]);
		assert_int_equal(doorstep_handshake(&s->x), i != 2);
	}
}

static void test_refusals_close_the_door_for_a_while(void **state)
{
	struct setup *s = *state;

	for (int i = 0; i < 100; i++) {
		ask(s, "192.0.2.1:1");
		assert_true(doorstep_credential(&s->x)); /* good ones cost nothing */
	}
	doorstep_refused(&s->x);
	assert_true(doorstep_credential(&s->x));
	doorstep_refused(&s->x);
	assert_false(doorstep_credential(&s->x));
	assert_int_equal(s->heard.status, 429);
	ask(s, "192.0.2.9:1");
	assert_true(doorstep_credential(&s->x));
	clock_step_by_hand(31000);
	ask(s, "192.0.2.1:1");
	assert_true(doorstep_credential(&s->x));
}

static void test_the_socket_has_no_limit(void **state)
{
	struct setup *s = *state;

	for (int i = 0; i < 10; i++) {
		ask(s, NULL);
		doorstep_refused(&s->x);
		assert_true(doorstep_credential(&s->x));
		assert_true(doorstep_handshake(&s->x));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_handshakes_by_address, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_network_of_six_is_one_caller, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_refusals_close_the_door_for_a_while, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_the_socket_has_no_limit, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
