#include "body.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void bodies_live_as_long_as_they_are_held(void **state)
{
	(void)state;
	struct body *b = body_new(BYTES("content")), *other = body_take(b);
	assert_int_equal(b->refs, 2);
	body_drop(&b);
	assert_null(b);
	assert_true(bytes_equal_text(body_bytes(other), "content"));
	body_drop(&other);
	body_drop(&other);
	b = body_new(BYTES_NONE);
	assert_int_equal(b->len, 0);
	body_drop(&b);
	b = body_room(3);
	memcpy(b->at, "abc", 3);
	assert_true(bytes_equal_text(body_bytes(b), "abc"));
	body_drop(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(bodies_live_as_long_as_they_are_held)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
