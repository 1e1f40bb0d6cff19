/* Over a played presence view. */
#include "online.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void (*follower)(void *context, uint64_t tailnet);
static void *follower_context;
static unsigned follows;

void presence_follow(struct presence_view *view, uint64_t tailnet, void (*on_known)(void *context, uint64_t tailnet), void *context)
{
	(void)view, (void)tailnet;
	follower = on_known;
	follower_context = context;
	follows++;
}

static unsigned known, canceled;

static void on_known(void *context, enum err e)
{
	(void)context;
	known += e == ERR_NONE;
	canceled += e == ERR_CANCELED;
}

static void test_all_wait_for_the_first_reading(void **state)
{
	struct online *online = online_new(NULL);

	(void)state;
	follows = known = canceled = 0;
	online_follow(online, 5, NULL, NULL);
	online_follow(online, 5, on_known, NULL);
	online_follow(online, 5, on_known, NULL);
	assert_int_equal(follows, 1);
	assert_int_equal(known, 0);
	follower(follower_context, 5);
	assert_int_equal(known, 2);
	online_follow(online, 5, on_known, NULL);
	assert_int_equal(known, 3);
	assert_int_equal(follows, 1);
	online_free(&online);
	assert_null(online);
	online_free(&online);
	assert_int_equal(canceled, 0);
}

static void test_who_waits_at_the_end_is_answered(void **state)
{
	struct online *online = online_new(NULL);

	(void)state;
	follows = known = canceled = 0;
	online_follow(online, 5, on_known, NULL);
	online_follow(online, 6, on_known, NULL);
	online_free(&online);
	assert_int_equal(known, 0);
	assert_int_equal(canceled, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_wait_for_the_first_reading),
		cmocka_unit_test(test_who_waits_at_the_end_is_answered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
