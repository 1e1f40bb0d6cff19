#include "worker.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>

enum { WORKERS = 3, LAPS = 1000, TASKS = 20 };

static struct worker *workers;
static atomic_uint started, laps;
static pthread_t threads[WORKERS];

static void on_start(struct worker *w)
{
	threads[w->index] = pthread_self();
	assert_string_equal(w->program, "program");
	started++;
}

static void on_lap(void *context)
{
	unsigned i = (unsigned)(uintptr_t)context;
	assert_true(pthread_equal(pthread_self(), threads[i]));
	if (++laps < LAPS) {
		i = (i + 1) % WORKERS;
		loop_post(workers[i].loop, on_lap, (void *)(uintptr_t)i);
		return;
	}
	for (unsigned n = 0; n < WORKERS; n++)
		loop_stop(workers[n].loop);
}

static void threads_pass_work_around(void **state)
{
	(void)state;
	workers = worker_start(WORKERS, on_start, "program");
	assert_int_equal(started, WORKERS);
	loop_post(workers[0].loop, on_lap, (void *)0);
	struct worker *gone = workers;
	worker_join(&gone, WORKERS);
	assert_null(gone);
	assert_int_equal(laps, LAPS);
}

struct chore {
	pthread_t by;
	bool done;
};

static unsigned answers;
static struct loop *asking;

static void work(void *context)
{
	struct chore *c = context;
	c->by = pthread_self();
}

static void on_done(void *context)
{
	struct chore *c = context;
	assert_false(pthread_equal(c->by, pthread_self()));
	assert_false(c->done);
	c->done = true;
	if (++answers == TASKS)
		loop_stop(asking);
}

static void tasks_answer_once_on_the_asking_loop(void **state)
{
	(void)state;
	struct chore chores[TASKS] = {0}, last = {0};
	asking = loop_new();
	for (unsigned i = 0; i < TASKS; i++)
		task_run(asking, work, on_done, &chores[i]);
	assert_int_equal(answers, 0);
	loop_run(asking);
	for (unsigned i = 0; i < TASKS; i++)
		assert_true(chores[i].done);
	task_run(asking, work, on_done, &last);
	loop_free(&asking);
	assert_true(last.done);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(threads_pass_work_around),
		cmocka_unit_test(tasks_answer_once_on_the_asking_loop),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
