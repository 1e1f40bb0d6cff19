#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "list.h"
#include "loop_h2o.h"
#include "worker.h"

/* Helpers are for slow foreign calls: few are enough, and an idle one leaves. */
enum { HELPERS_MAX = 4, IDLE_SECONDS = 5 };

struct task {
	struct list link;
	struct loop *loop;
	void (*work)(void *context);
	void (*on_done)(void *context);
	void *context;
};

static struct {
	pthread_mutex_t lock;
	pthread_cond_t more;
	struct list waiting;
	size_t waiting_count;
	unsigned helpers, idle;
} pool = {.lock = PTHREAD_MUTEX_INITIALIZER, .more = PTHREAD_COND_INITIALIZER, .waiting = {&pool.waiting, &pool.waiting}};

static void on_worked(void *context)
{
	struct task *t = context;
	loop_task_answered(t->loop);
	t->on_done(t->context);
	free(t);
}

/* The next task, or NULL when none came for a while. The lock is held. */
static struct task *next_task(void)
{
	struct timespec until;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += IDLE_SECONDS;
	pool.idle++;
	int e = 0;
	while (list_empty(&pool.waiting) && !e)
		e = pthread_cond_timedwait(&pool.more, &pool.lock, &until);
	pool.idle--;
	struct task *t = LIST_FIRST(&pool.waiting, struct task, link);
	if (t) {
		list_remove(&t->link);
		pool.waiting_count--;
	}
	return t;
}

static void *help(void *context)
{
	struct task *t;
	(void)context;
	pthread_mutex_lock(&pool.lock);
	while ((t = next_task())) {
		pthread_mutex_unlock(&pool.lock);
		t->work(t->context);
		loop_post(t->loop, on_worked, t);
		pthread_mutex_lock(&pool.lock);
	}
	pool.helpers--;
	pthread_mutex_unlock(&pool.lock);
	return NULL;
}

static void start_helper(void)
{
	pthread_t id;
	sigset_t all, before;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	if (pthread_create(&id, NULL, help, NULL))
		abort();
	pthread_detach(id);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void task_run(struct loop *loop, void (*work)(void *context), void (*on_done)(void *context), void *context)
{
	struct task *t = x_alloc(sizeof(*t));
	*t = (struct task){.loop = loop, .work = work, .on_done = on_done, .context = context};
	loop_task_begun(loop);
	pthread_mutex_lock(&pool.lock);
	list_append(&pool.waiting, &t->link);
	pool.waiting_count++;
	if (pool.helpers < HELPERS_MAX && pool.waiting_count > pool.idle) {
		pool.helpers++;
		start_helper();
	}
	pthread_cond_signal(&pool.more);
	pthread_mutex_unlock(&pool.lock);
}
