#include "proc.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static void burn(double seconds)
{
	struct timespec t;

	do
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	while ((double)t.tv_sec + (double)t.tv_nsec / 1e9 < seconds);
}

static struct procs myself(void)
{
	struct procs procs = {.count = 1};

	snprintf(procs.list[0].program, sizeof procs.list[0].program, "fleetscale-test");
	procs.list[0].pid = getpid();
	return procs;
}

static void test_children_count(void **state)
{
	struct procs procs = myself();
	struct usage before, during, after;
	int ready[2];
	pid_t child;

	(void)state;
	assert_int_equal(pipe(ready), 0);
	procs_measure(&procs, &before);
	child = fork();
	if (!child) {
		burn(0.2);
		if (write(ready[1], "", 1) != 1)
			_exit(1);
		pause();
	}
	assert_int_equal(read(ready[0], &(char){0}, 1), 1);
	procs_measure(&procs, &during);
	assert_true(usage_cpu(&procs, &before, &during, "") > 0.15);
	assert_true(usage_rss(&procs, &during, "") > usage_rss(&procs, &before, ""));
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	procs_measure(&procs, &after);
	assert_true(usage_cpu(&procs, &before, &after, "fleetscale") > 0.15);
	assert_true(usage_cpu(&procs, &before, &after, "postgres") == 0);
}

static void write_state(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static void test_state_file(void **state)
{
	char path[] = "/tmp/proc_test.XXXXXX";
	struct procs procs;

	(void)state;
	close(mkstemp(path));
	write_state(path, "{\"programs\": [{\"program\": \"redis\", \"index\": 0, \"pid\": 12}]}");
	assert_true(procs_load(&procs, path));
	assert_int_equal(procs.count, 1);
	assert_int_equal(procs.list[0].pid, 12);
	assert_string_equal(procs.list[0].program, "redis");
	write_state(path, "{\"programs\": [{\"program\": \"redis\", \"pid\": null}]}");
	assert_false(procs_load(&procs, path));
	write_state(path, "{}");
	assert_false(procs_load(&procs, path));
	unlink(path);
	assert_false(procs_load(&procs, path));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_children_count), cmocka_unit_test(test_state_file)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
