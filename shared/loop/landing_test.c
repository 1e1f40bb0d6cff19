#include "landing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void what_landed_stays_for_the_turn(void **state)
{
	struct landing l = {0};
	uint8_t *first, *second;
	(void)state;
	first = landing_room(&l);
	memset(first, 'a', 1000);
	landing_take(&l, 1000);
	second = landing_room(&l);
	assert_ptr_equal(second, first + 1000);
	memset(second, 'b', LANDING_ROOM);
	landing_take(&l, LANDING_ROOM);
	assert_int_equal(first[999], 'a');
	landing_turn(&l);
	assert_ptr_equal(landing_room(&l), first);
	landing_clear(&l);
}

static void a_turn_is_bounded(void **state)
{
	struct landing l = {0};
	unsigned rooms = 0;
	uint8_t *at;
	(void)state;
	while ((at = landing_room(&l))) {
		memset(at, 'c', LANDING_ROOM);
		landing_take(&l, LANDING_ROOM);
		rooms++;
	}
	assert_int_equal(rooms, LANDING_BLOCKS * (LANDING_BLOCK / LANDING_ROOM));
	landing_turn(&l);
	assert_non_null(landing_room(&l));
	landing_clear(&l);
}

/* After a burst the memory goes back, but not while bursts come. */
static void spare_blocks_are_given_back(void **state)
{
	struct landing l = {0};
	(void)state;
	for (unsigned turn = 0; turn < 5000; turn++) {
		for (unsigned i = 0; i < (turn % 500 ? 1 : 5); i++) {
			assert_non_null(landing_room(&l));
			landing_take(&l, LANDING_ROOM);
		}
		landing_turn(&l);
	}
	assert_non_null(l.block[1]);
	for (unsigned turn = 0; turn < 2000; turn++)
		landing_turn(&l);
	assert_non_null(l.block[0]);
	for (unsigned i = 1; i < LANDING_BLOCKS; i++)
		assert_null(l.block[i]);
	landing_clear(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(what_landed_stays_for_the_turn), cmocka_unit_test(a_turn_is_bounded),
					   cmocka_unit_test(spare_blocks_are_given_back)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
