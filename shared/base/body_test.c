#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "body.h"

static void the_last_reference_frees(void **state)
{
	(void)state;
	struct body *b = body_new(BYTES("hello")), *also = body_take(b), *empty = body_new(BYTES_NONE), *room = body_room(3);
	memcpy(room->at, "abc", 3);
	assert_true(bytes_equal_text(body_bytes(room), "abc"));
	assert_int_equal(b->refs, 2);
	body_drop(&b);
	assert_null(b);
	assert_true(bytes_equal_text(body_bytes(also), "hello"));
	assert_int_equal(body_bytes(empty).len, 0);
	body_drop(&also);
	body_drop(&also);
	body_drop(&empty);
	body_drop(&room);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(the_last_reference_frees)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
