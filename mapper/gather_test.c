#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gather.h"
#include "mem.h"

static void longer_as_there_is_more(void **state)
{
	static const struct {
		struct gather_load load;
		int64_t ms;
	} cases[] = {
		{{0, 0, 0}, 5},
		{{1, 0, 100}, 5},
		{{40, 0, 0}, 5},
		{{1000, 0, 0}, 122},
		{{3000, 0, 0}, 366},
		{{10000, 0, 0}, 500},
		{{1, 256 << 10, 0}, 5},
		{{1, 4 << 20, 0}, 125},
		{{1, 64 << 20, 0}, 500},
		{{1, 0, 10000}, 40}, /* a tick of 10 ms: at most a quarter of the loop */
		{{1, 0, UINT64_C(3600000000)}, 500},
	};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		assert_int_equal(gather_ms(5, 500, &cases[i].load), cases[i].ms);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(longer_as_there_is_more)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
