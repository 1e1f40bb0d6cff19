#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "selfstat.h"

static void tells_of_this_process(void **state)
{
	(void)state;
	struct selfstat s = selfstat_read();
	double now = (double)time(NULL);
	assert_true(s.open_fds >= 3 && s.open_fds < 10000);
	assert_true(s.max_fds == -1 || s.max_fds >= s.open_fds);
	assert_true(s.resident > 100000 && s.virtual_size >= s.resident);
	assert_true(s.started_unix_s > now - 3600 && s.started_unix_s <= now + 2);
	assert_true(s.boot_unix_s > 0 && s.boot_unix_s <= s.started_unix_s);
}

/* Where a walk is needed the count may be some seconds old: then it is no less right for what was open before. */
static void counts_what_is_open(void **state)
{
	(void)state;
	enum { MORE = 50 };
	int fds[MORE];
	int64_t before = selfstat_read().open_fds;
	for (int i = 0; i < MORE; i++)
		assert_true((fds[i] = open("/dev/null", O_RDONLY)) >= 0);
	int64_t with = selfstat_read().open_fds;
	for (int i = 0; i < MORE; i++)
		close(fds[i]);
	assert_true(with == before + MORE || with == before);
}

static void burns_time(void **state)
{
	(void)state;
	double before = selfstat_read().cpu_s;
	clock_t begun = clock();
	while (clock() - begun < CLOCKS_PER_SEC / 5)
		;
	assert_true(selfstat_read().cpu_s >= before + 0.1);
}

static void writes_the_customary_names(void **state)
{
	(void)state;
	struct buffer out;
	buffer_init(&out, 100);
	assert_int_equal(selfstat_write(&out), ERR_TOO_BIG);
	buffer_clear(&out);
	buffer_init(&out, 10000);
	assert_int_equal(selfstat_write(&out), ERR_NONE);
	assert_int_equal(buffer_add_byte(&out, 0), ERR_NONE);
	const char *text = (const char *)out.at, *at = strstr(text, "\nprocess_resident_memory_bytes ");
	assert_non_null(at);
	assert_true(strtod(at + strlen("\nprocess_resident_memory_bytes "), NULL) > 100000);
	assert_non_null(strstr(text, "# TYPE process_cpu_seconds_total counter\nprocess_cpu_seconds_total "));
	buffer_clear(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tells_of_this_process),
		cmocka_unit_test(counts_what_is_open),
		cmocka_unit_test(burns_time),
		cmocka_unit_test(writes_the_customary_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
