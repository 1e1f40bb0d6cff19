#include "loop.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "loop_h2o.h"
#include "pace.h"
#include "tlsio.h"
#include "wheel.h"

/* Rounds of deferred work in one turn: a deferral may defer further work, but not for ever. */
enum { DEFER_ROUNDS = 64, SETTLE_ROUNDS = 4, LINGER_TURNS = 16, COOLING_MS = 1000, READS_TOGETHER = 4, TRAFFIC_MS = 100 };

#if defined(__SANITIZE_ADDRESS__)
#define WITH_LEAK_CHECK 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WITH_LEAK_CHECK 1
#endif
#endif

#ifdef WITH_LEAK_CHECK
const char *__lsan_default_suppressions(void);
const char *__lsan_default_options(void);

/* h2o keeps used blocks for each thread and has no call to give them back when the thread ends. */
const char *__lsan_default_suppressions(void)
{
	return "leak:h2o_mem_alloc_recycle\n";
}

const char *__lsan_default_options(void)
{
	return "print_suppressions=0";
}
#endif

struct post {
	struct post *next;
	void (*fn)(void *context);
	void *context;
};

struct loop {
	h2o_loop_t *h2o;
	struct mono now;
	uint64_t now_of; /* what h2o's clock said then */
	struct wheel wheel;
	struct list deferred;
	_Atomic(struct post *) posted; /* newest first */
	atomic_bool stop;
	int wake_fd;
	struct watch *wake;
	unsigned tasks;
	struct landing landing;
	struct warmth warmth;
	struct timer cooling;
	struct pace pace;
	unsigned reads;           /* since deferred work was run */
	struct mono moved_at;     /* when packets came last */
	bool moved, moved_before; /* packets came in this turn; in the last */
	uint64_t window_us, window_cpu_us;
};

h2o_loop_t *loop_h2o(struct loop *loop)
{
	return loop->h2o;
}

struct landing *loop_landing(struct loop *loop)
{
	return &loop->landing;
}

static void look_at_clock(struct loop *loop)
{
	loop->now = clock_mono();
	loop->now_of = h2o_now(loop->h2o);
}

static void on_cooling(void *context)
{
	struct loop *loop = context;
	tlsio_cool(&loop->warmth);
	if (loop->warmth.count)
		timer_set(&loop->cooling, COOLING_MS);
}

struct warmth *loop_warmth(struct loop *loop)
{
	if (!timer_is_set(&loop->cooling))
		timer_set(&loop->cooling, COOLING_MS);
	return &loop->warmth;
}

static void on_wake(void *context, unsigned ready)
{
	struct loop *loop = context;
	uint64_t count;
	(void)ready;
	while (read(loop->wake_fd, &count, sizeof(count)) < 0 && errno == EINTR)
		;
}

static void wake(struct loop *loop)
{
	uint64_t one = 1;
	while (write(loop->wake_fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

struct loop *loop_new(void)
{
	/* A write to a TLS socket that the peer has closed goes through writev, which has no other way to be quiet. */
	signal(SIGPIPE, SIG_IGN);
	struct loop *loop = x_zalloc(sizeof(*loop));
	loop->h2o = h2o_evloop_create();
	look_at_clock(loop);
	loop->pace.window = 1;
	wheel_init(&loop->wheel, loop->now.ms);
	list_init(&loop->deferred);
	list_init(&loop->warmth.list);
	timer_init(&loop->cooling, loop, on_cooling, loop);
	loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (loop->wake_fd < 0)
		abort();
	loop->wake = watch_open(loop, loop->wake_fd, on_wake, loop);
	watch_want(loop->wake, WATCH_READ);
	return loop;
}

static void run_timers(struct loop *loop)
{
	struct list due;
	list_init(&due);
	wheel_advance(&loop->wheel, clock_mono().ms, &due);
	struct timer *t;
	while ((t = LIST_FIRST(&due, struct timer, link))) {
		list_remove(&t->link);
		t->on_due(t->context);
	}
}

static struct post *oldest_first(struct post *newest)
{
	struct post *first = NULL;
	while (newest) {
		struct post *next = newest->next;
		newest->next = first;
		first = newest;
		newest = next;
	}
	return first;
}

static void run_posted(struct loop *loop)
{
	struct post *p = oldest_first(atomic_exchange_explicit(&loop->posted, NULL, memory_order_acquire));
	while (p) {
		struct post *next = p->next;
		p->fn(p->context);
		free(p);
		p = next;
	}
}

static void run_deferred(struct loop *loop)
{
	for (unsigned round = 0; round < DEFER_ROUNDS && !list_empty(&loop->deferred); round++) {
		struct list now = loop->deferred;
		now.next->prev = now.prev->next = &now;
		list_init(&loop->deferred);
		struct defer *d;
		while ((d = LIST_FIRST(&now, struct defer, link))) {
			list_remove(&d->link);
			d->on_turn_end(d->context);
		}
	}
}

void loop_has_read(struct loop *loop)
{
	if (!loop->moved || loop->pace.strong || ++loop->reads < READS_TOGETHER)
		return;
	loop->reads = 0;
	run_deferred(loop);
}

/* Also that it shall stop: what woke it for that may be read already, by a loop that looks. */
static bool work_waits(const struct loop *loop)
{
	return !list_empty(&loop->deferred) || loop->h2o->_pending_as_client || loop->h2o->_pending_as_server ||
	       atomic_load_explicit(&loop->posted, memory_order_relaxed) || atomic_load_explicit(&loop->stop, memory_order_relaxed);
}

/* Lets h2o call back for writes that were begun outside of its callbacks and were done at once. Left for the next turn, h2o would look at what it has to
 * wait for while such a write still counts as open, go on waiting for room without a writer, and abort when room comes (2.2.5, write_pending). */
static void settle(struct loop *loop)
{
	if (loop->h2o->_pending_as_client || loop->h2o->_pending_as_server)
		h2o_timeout__do_post_callback(loop->h2o);
}

static int32_t wait_until_next(const struct loop *loop, int64_t most)
{
	if (work_waits(loop))
		return 0;
	int64_t next = wheel_next(&loop->wheel), wait = INT32_MAX;
	if (next != INT64_MAX)
		wait = next - clock_mono().ms;
	if (wait > most)
		wait = most;
	if (wait > INT32_MAX)
		wait = INT32_MAX;
	return wait > 0 ? (int32_t)wait : 0;
}

void loop_count_packets(struct loop *loop, unsigned *mark, unsigned packets)
{
	pace_count(&loop->pace, mark, packets);
	loop->moved = true;
	loop->moved_at = loop->now;
}

bool loop_moves(const struct loop *loop)
{
	return loop->moved_at.ms && loop->now.ms - loop->moved_at.ms < TRAFFIC_MS;
}

static uint64_t thread_us(void)
{
	struct timespec t;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* Between two turns that move packets. */
static void nap(struct loop *loop)
{
	uint64_t now_us = clock_mono_us();
	if (now_us - loop->window_us >= PACE_WINDOW_US) {
		uint64_t cpu_us = thread_us();
		pace_window(&loop->pace, cpu_us - loop->window_cpu_us, now_us - loop->window_us);
		loop->window_us = now_us;
		loop->window_cpu_us = cpu_us;
	}
	if (!loop->pace.nap_us)
		return;
	const struct timespec time = {.tv_nsec = (long)loop->pace.nap_us * 1000};
	(void)nanosleep(&time, NULL);
}

/* Until something comes. An interrupted wait is a turn without events. */
static void await(struct loop *loop, int64_t wait_ms)
{
	int32_t most = wait_until_next(loop, wait_ms);
	if (!most || !loop->moved_before || loop->pace.nap_us) {
		(void)h2o_evloop_run(loop->h2o, most);
		return;
	}
	unsigned look_us = pace_look_us(&loop->pace);
	uint64_t begun_us = clock_mono_us();
	while (clock_mono_us() - begun_us < look_us && !work_waits(loop))
		(void)h2o_evloop_run(loop->h2o, 0);
	if (!work_waits(loop))
		(void)h2o_evloop_run(loop->h2o, wait_until_next(loop, wait_ms));
	pace_waited(&loop->pace, clock_mono_us() - begun_us);
}

void loop_turn(struct loop *loop, int64_t wait_ms)
{
	loop->moved_before = loop->moved;
	loop->moved = false;
	if (loop->moved_before && wait_ms)
		nap(loop);
	/* Deferred work that is left over may still look at what has landed. */
	if (list_empty(&loop->deferred))
		landing_turn(&loop->landing);
	await(loop, wait_ms);
	look_at_clock(loop);
	run_posted(loop);
	run_timers(loop);
	run_deferred(loop);
	settle(loop);
	for (unsigned round = 0; round < SETTLE_ROUNDS && !list_empty(&loop->deferred); round++) {
		run_deferred(loop);
		settle(loop);
	}
}

void loop_run(struct loop *loop)
{
	/* Naps shall be as short as they are meant. */
	(void)prctl(PR_SET_TIMERSLACK, 1000UL, 0UL, 0UL, 0UL);
	while (!atomic_load(&loop->stop))
		loop_turn(loop, INT32_MAX);
	atomic_store(&loop->stop, false);
}

void loop_stop(struct loop *loop)
{
	atomic_store(&loop->stop, true);
	wake(loop);
}

struct mono loop_now(struct loop *loop)
{
	if (h2o_now(loop->h2o) != loop->now_of)
		look_at_clock(loop);
	return loop->now;
}

void loop_task_begun(struct loop *loop)
{
	loop->tasks++;
}

void loop_task_answered(struct loop *loop)
{
	loop->tasks--;
}

void loop_free(struct loop **at)
{
	struct loop *loop = *at;
	*at = NULL;
	if (!loop)
		return;
	while (loop->tasks)
		loop_turn(loop, 10);
	/* TLS farewells and closed sockets need a turn or two. */
	for (unsigned i = 0; i < LINGER_TURNS && (i < 2 || work_waits(loop)); i++)
		loop_turn(loop, 0);
	watch_close(&loop->wake);
	run_deferred(loop);
	(void)h2o_evloop_run(loop->h2o, 0);
	/* h2o aborts under timers that a server which was not freed has left. */
	if (h2o_linklist_is_empty(&loop->h2o->_timeouts))
		h2o_evloop_destroy(loop->h2o);
	close(loop->wake_fd);
	landing_clear(&loop->landing);
	free(loop);
}

void timer_init(struct timer *t, struct loop *loop, timer_fn on_due, void *context)
{
	*t = (struct timer){.on_due = on_due, .context = context, .loop = loop};
	list_init(&t->link);
}

void timer_set(struct timer *t, int64_t in_ms)
{
	list_remove(&t->link);
	t->due_ms = clock_mono().ms + (in_ms > 0 ? in_ms : 0);
	wheel_insert(&t->loop->wheel, t);
}

void timer_cancel(struct timer *t)
{
	if (timer_is_set(t))
		list_remove(&t->link);
}

void defer_init(struct defer *d, defer_fn on_turn_end, void *context)
{
	*d = (struct defer){.on_turn_end = on_turn_end, .context = context};
	list_init(&d->link);
}

void loop_defer(struct loop *loop, struct defer *d)
{
	if (!list_linked(&d->link))
		list_append(&loop->deferred, &d->link);
}

void defer_cancel(struct defer *d)
{
	if (list_linked(&d->link))
		list_remove(&d->link);
}

void loop_post(struct loop *loop, void (*fn)(void *context), void *context)
{
	struct post *p = x_alloc(sizeof(*p));
	*p = (struct post){.fn = fn, .context = context};
	struct post *before = atomic_load_explicit(&loop->posted, memory_order_relaxed);
	do
		p->next = before;
	while (!atomic_compare_exchange_weak_explicit(&loop->posted, &before, p, memory_order_acq_rel, memory_order_relaxed));
	/* Whoever found the list empty wakes the loop for all that follow until it looks. `p` may be gone already. */
	if (!before)
		wake(loop);
}
