/* One thread's waiting: watch a descriptor, timers on the monotonic clock, defer to the end of the turn, post from other threads.
 * Not a thread (worker.h) and not a transport (pipe.h). h2o's loop is named only in this module and in http.
 * A loop belongs to the thread that runs it; loop_post and loop_stop are the only calls that others may make.
 * Watches, timers and deferrals are embedded in their owners' structs and must be ended before those go. */
#ifndef LOOP_H
#define LOOP_H

#include "clock.h"
#include "err.h"
#include "list.h"

struct loop;

struct loop *loop_new(void);
/* After loop_run returned, on its thread. Deferred and posted work is run first, and answers of task_run are waited for. */
void loop_free(struct loop **loop);
void loop_run(struct loop *loop);                   /* until loop_stop */
void loop_turn(struct loop *loop, int64_t wait_ms); /* one turn, waiting at most so long (tests) */
void loop_stop(struct loop *loop);                  /* from any thread */
struct mono loop_now(struct loop *loop);            /* as of when this turn ended its waiting */

/* One read brought so many packets; `mark` is the flow's, zero at first. A loop that is told so lets input gather while flows are strong: it naps for up to a millisecond
 * between turns. */
void loop_count_packets(struct loop *loop, unsigned *mark, unsigned packets);

/* Timers: a wheel on the monotonic clock; 1 ms resolution, O(1) set and cancel. A timer fires once; set it again to repeat. */
typedef void (*timer_fn)(void *context);
struct timer {
	struct list link;
	int64_t due_ms;
	timer_fn on_due;
	void *context;
	struct loop *loop;
};
void timer_init(struct timer *t, struct loop *loop, timer_fn on_due, void *context);
void timer_set(struct timer *t, int64_t in_ms); /* sets anew if it was set */
void timer_cancel(struct timer *t);             /* legal when not set */
static inline bool timer_is_set(const struct timer *t)
{
	return list_linked(&t->link);
}

/* At the end of this turn, once. */
typedef void (*defer_fn)(void *context);
struct defer {
	struct list link;
	defer_fn on_turn_end;
	void *context;
};
void defer_init(struct defer *d, defer_fn on_turn_end, void *context);
void loop_defer(struct loop *loop, struct defer *d); /* legal again while already deferred: still once */
void defer_cancel(struct defer *d);

/* From any thread: run fn(context) on the loop's thread, in order of posting. Never lost while the loop runs. */
void loop_post(struct loop *loop, void (*fn)(void *context), void *context);

/* Watch a foreign descriptor (libpq, hiredis, inotify, UDP). The descriptor stays the caller's and is dup'ed inside. */
enum { WATCH_READ = 1, WATCH_WRITE = 2 };
struct watch;
typedef void (*watch_fn)(void *context, unsigned ready);
struct watch *watch_open(struct loop *loop, int fd, watch_fn on_ready, void *context);
void watch_want(struct watch *w, unsigned events); /* level: on_ready comes as long as it is wanted and so */
void watch_close(struct watch **w);                /* accepts NULL; no on_ready afterwards */

#endif
