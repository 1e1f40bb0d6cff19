/* A thread with its loop. Not a pool: what runs where is its program's decision.
 * The creator owns it; worker_join frees. */
#ifndef WORKER_H
#define WORKER_H

#include "loop.h"

struct worker {
	struct loop *loop;
	unsigned index;
	void *program; /* the program's state of this thread */
	void *thread;  /* private */
};

/* Starts `count` threads; each runs on_start(worker) on itself, then its loop. Signals are blocked in them.
 * All loops exist before the first on_start; returns when every on_start has. Each loop is freed by its own thread, after all have stopped. */
struct worker *worker_start(unsigned count, void (*on_start)(struct worker *w), void *program);
/* After loop_stop on each; leaves NULL. */
void worker_join(struct worker **workers, unsigned count);

/* Work that blocks (curl, getaddrinfo) on a helper thread; on_done comes on `loop`. */
void task_run(struct loop *loop, void (*work)(void *context), void (*on_done)(void *context), void *context);

#endif
