#include "turns.h"

#include <pthread.h>

#include "worker.h"

static struct {
	pthread_mutex_t lock;
	struct list waiting, given, refused; /* given: in work too; refused: not told yet */
	size_t waiting_count, waiting_bytes;
	unsigned given_count;
} desk = {.lock = PTHREAD_MUTEX_INITIALIZER,
	  .waiting = {&desk.waiting, &desk.waiting},
	  .given = {&desk.given, &desk.given},
	  .refused = {&desk.refused, &desk.refused}};

/* The lock is held in all that ends in _locked. */

static size_t count_of_locked(struct list *list, uint64_t tailnet)
{
	size_t count = 0;

	LIST_EACH(list, t, struct turn, link)
		count += t->tailnet == tailnet;
	return count;
}

static void stop_waiting_locked(struct turn *t)
{
	list_remove(&t->link);
	desk.waiting_count--;
	desk.waiting_bytes -= t->size;
}

static void on_given(void *context)
{
	struct turn *t = context;
	struct diag why = t->why;
	enum err e = t->refused;

	pthread_mutex_lock(&desk.lock);
	t->state = e ? TURN_NONE : TURN_GIVEN;
	if (e)
		list_remove(&t->link);
	pthread_mutex_unlock(&desk.lock);
	if (!e && t->ended)
		e = diag_set(&why, ERR_CANCELED, "the coordinator stops");
	if (e && !t->refused)
		turn_leave(t);
	t->on_turn(t->context, e, &why);
}

static void give_locked(void)
{
	LIST_EACH(&desk.waiting, t, struct turn, link) {
		if (desk.given_count >= TURNS_AT_ONCE)
			return;
		if (count_of_locked(&desk.given, t->tailnet))
			continue;
		stop_waiting_locked(t);
		list_append(&desk.given, &t->link);
		desk.given_count++;
		t->state = TURN_POSTED;
		loop_post(t->loop, on_given, t);
	}
}

static enum err admit_locked(struct turn *t)
{
	if (count_of_locked(&desk.waiting, t->tailnet) >= t->most)
		return diag_set(&t->why, ERR_EXHAUSTED, "%u policies of this tailnet wait to be tried: ask again in a moment", t->most);
	if (desk.waiting_count >= TURNS_WAITING_MAX || (desk.waiting_count && desk.waiting_bytes + t->size > TURNS_WAITING_BYTES))
		return diag_set(&t->why, ERR_UNAVAILABLE, "too many policies wait to be tried here: ask again in a moment");
	return ERR_NONE;
}

void turn_take(struct turn *t, struct loop *loop, uint64_t tailnet, unsigned most, size_t size,
	       void (*on_turn)(void *context, enum err e, const struct diag *why), void *context)
{
	*t = (struct turn){.loop = loop, .tailnet = tailnet, .most = most, .size = size, .on_turn = on_turn, .context = context};
	pthread_mutex_lock(&desk.lock);
	t->refused = admit_locked(t);
	if (t->refused) {
		t->state = TURN_POSTED;
		list_append(&desk.refused, &t->link);
		loop_post(loop, on_given, t);
	} else {
		t->state = TURN_WAITS;
		list_append(&desk.waiting, &t->link);
		desk.waiting_count++;
		desk.waiting_bytes += size;
		give_locked();
	}
	pthread_mutex_unlock(&desk.lock);
}

static void on_worked(void *context)
{
	struct turn *t = context;

	pthread_mutex_lock(&desk.lock);
	t->state = TURN_GIVEN;
	pthread_mutex_unlock(&desk.lock);
	t->on_worked(t->context);
}

static void work(void *context)
{
	const struct turn *t = context;

	t->work(t->context);
}

void turn_work(struct turn *t, void (*what)(void *context), void (*on_done)(void *context))
{
	t->work = what;
	t->on_worked = on_done;
	pthread_mutex_lock(&desk.lock);
	t->state = TURN_WORKS;
	pthread_mutex_unlock(&desk.lock);
	task_run(t->loop, work, on_worked, t);
}

void turn_leave(struct turn *t)
{
	pthread_mutex_lock(&desk.lock);
	list_remove(&t->link);
	desk.given_count--;
	t->state = TURN_NONE;
	give_locked();
	pthread_mutex_unlock(&desk.lock);
}

/* Those that wait are given theirs as ended; whether any works, or is still to be told. */
static bool end_all(struct loop *loop)
{
	bool busy = false;

	pthread_mutex_lock(&desk.lock);
	LIST_EACH(&desk.waiting, t, struct turn, link) {
		if (t->loop != loop)
			continue;
		stop_waiting_locked(t);
		list_append(&desk.given, &t->link);
		desk.given_count++;
		t->state = TURN_POSTED;
		loop_post(loop, on_given, t);
	}
	LIST_EACH(&desk.given, t, struct turn, link) {
		if (t->loop != loop)
			continue;
		t->ended = true;
		busy |= t->state == TURN_WORKS || t->state == TURN_POSTED;
	}
	LIST_EACH(&desk.refused, t, struct turn, link)
		busy |= t->loop == loop;
	pthread_mutex_unlock(&desk.lock);
	return busy;
}

void turns_end(struct loop *loop)
{
	enum { WAIT_MS = 10 };

	while (end_all(loop))
		loop_turn(loop, WAIT_MS);
}
