#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ring.h"

static void newest_first_until_where_the_reader_stands(void **state)
{
	struct ring r;
	uint32_t seen = 0;
	(void)state;
	ring_init(&r, 100);
	ring_restart(&r, 1);
	for (uint32_t i = 0; i < 40; i++)
		ring_push(&r, 2 + i / 4, i, 1u << (i % 4));
	RING_EACH(&r, entry, 10) {
		assert_int_equal(entry->slot, 39 - seen);
		assert_true(entry->version > 10);
		seen++;
	}
	assert_int_equal(seen, 4);
	RING_EACH(&r, entry, 11)
		fail();
	assert_true(ring_reaches(&r, 1));
	assert_false(ring_reaches(&r, 0));
	ring_clear(&r);
}

static void the_oldest_go_at_the_cap(void **state)
{
	struct ring r;
	(void)state;
	ring_init(&r, 24);
	ring_restart(&r, 1);
	for (uint32_t i = 0; i < 1000; i++) {
		uint32_t count = 0;
		ring_push(&r, 2 + i / 3, i, 1);
		RING_EACH(&r, entry, r.oldest)
			count++;
		/* Whoever stands at `oldest` misses nothing: what is younger is all there. */
		assert_true(count + (i % 3) + 3 >= (i < 24 ? i : 24));
		assert_true(ring_at(&r, 0)->version <= r.oldest + 1);
	}
	assert_int_equal(r.count, 24);
	assert_true(ring_reaches(&r, 2 + 999 / 3));
	assert_false(ring_reaches(&r, 2 + 900 / 3));
	ring_restart(&r, 400);
	assert_int_equal(r.count, 0);
	assert_false(ring_reaches(&r, 399));
	assert_true(ring_reaches(&r, 400));
	ring_clear(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(newest_first_until_where_the_reader_stands), cmocka_unit_test(the_oldest_go_at_the_cap)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
