#include "worker.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

enum { FAREWELL_TURNS = 4 };

/* What the threads of one worker_start share; freed by worker_join. */
struct crew {
	pthread_barrier_t begun, met; /* with the creator; among themselves */
	void (*on_start)(struct worker *w);
};

struct hand {
	pthread_t id;
	struct crew *crew;
};

static void *run(void *context)
{
	struct worker *w = context;
	struct crew *crew = ((struct hand *)w->thread)->crew;
	w->loop = loop_new();
	pthread_barrier_wait(&crew->met);
	crew->on_start(w);
	pthread_barrier_wait(&crew->begun);
	loop_run(w->loop);
	/* Others may still post here until they have stopped too; what they posted runs, and may post in turn. */
	pthread_barrier_wait(&crew->met);
	for (unsigned i = 0; i < FAREWELL_TURNS; i++)
		loop_turn(w->loop, 0);
	pthread_barrier_wait(&crew->met);
	loop_free(&w->loop);
	return NULL;
}

static void start_thread(struct worker *w)
{
	struct hand *hand = w->thread;
	sigset_t all, before;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	if (pthread_create(&hand->id, NULL, run, w))
		abort();
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

struct worker *worker_start(unsigned count, void (*on_start)(struct worker *w), void *program)
{
	struct worker *workers = x_zalloc(sizeof(*workers) * count);
	if (!count)
		return workers;
	struct crew *crew = x_zalloc(sizeof(*crew));
	crew->on_start = on_start;
	pthread_barrier_init(&crew->begun, NULL, count + 1);
	pthread_barrier_init(&crew->met, NULL, count);
	for (unsigned i = 0; i < count; i++) {
		struct hand *hand = x_zalloc(sizeof(*hand));
		hand->crew = crew;
		workers[i] = (struct worker){.index = i, .program = program, .thread = hand};
		start_thread(&workers[i]);
	}
	pthread_barrier_wait(&crew->begun);
	return workers;
}

void worker_join(struct worker **at, unsigned count)
{
	struct worker *workers = *at;
	if (!workers)
		return;
	struct crew *crew = count ? ((struct hand *)workers[0].thread)->crew : NULL;
	for (unsigned i = 0; i < count; i++)
		pthread_join(((struct hand *)workers[i].thread)->id, NULL);
	/* Only now: the threads may have been looking at it. */
	*at = NULL;
	for (unsigned i = 0; i < count; i++)
		free(workers[i].thread);
	if (crew) {
		pthread_barrier_destroy(&crew->begun);
		pthread_barrier_destroy(&crew->met);
		free(crew);
	}
	free(workers);
}
