#include "wheel.h"

enum { SLOT_BITS = 8, SLOT_MASK = WHEEL_SLOTS - 1 };

/* Past the last level (49 days) a timer waits in its farthest slot and is sorted again from there. */
#define HORIZON_MS ((INT64_C(1) << (SLOT_BITS * WHEEL_LEVELS)) - 1)

void wheel_init(struct wheel *w, int64_t now_ms)
{
	*w = (struct wheel){.now_ms = now_ms};
	list_init(&w->ready);
	for (unsigned level = 0; level < WHEEL_LEVELS; level++)
		for (unsigned i = 0; i < WHEEL_SLOTS; i++)
			list_init(&w->slot[level][i]);
}

static void put(struct wheel *w, struct timer *t)
{
	int64_t at = t->due_ms;
	if (at - w->now_ms > HORIZON_MS)
		at = w->now_ms + HORIZON_MS;
	unsigned level = 0;
	while (level < WHEEL_LEVELS - 1 && (at - w->now_ms) >> (SLOT_BITS * (level + 1)))
		level++;
	unsigned i = (unsigned)(at >> (SLOT_BITS * level)) & SLOT_MASK;
	w->used[level][i / 64] |= UINT64_C(1) << (i % 64);
	list_append(&w->slot[level][i], &t->link);
}

void wheel_insert(struct wheel *w, struct timer *t)
{
	if (t->due_ms <= w->now_ms)
		list_append(&w->ready, &t->link);
	else
		put(w, t);
}

/* The first used slot after position `from` of a level, going round once; how many steps away, or 0 for none. */
static unsigned steps_to_used(const uint64_t used[static WHEEL_SLOTS / 64], unsigned from)
{
	for (unsigned step = 1; step <= WHEEL_SLOTS;) {
		unsigned i = (from + step) & SLOT_MASK;
		uint64_t word = used[i / 64] >> (i % 64);
		if (word) {
			step += (unsigned)__builtin_ctzll(word);
			return step <= WHEEL_SLOTS ? step : 0;
		}
		step += 64 - i % 64;
	}
	return 0;
}

/* When the next used slot of a level begins. */
static int64_t level_next(const struct wheel *w, unsigned level)
{
	int64_t position = w->now_ms >> (SLOT_BITS * level);
	unsigned steps = steps_to_used(w->used[level], (unsigned)position & SLOT_MASK);
	return steps ? (position + steps) << (SLOT_BITS * level) : INT64_MAX;
}

int64_t wheel_next(const struct wheel *w)
{
	if (!list_empty(&w->ready))
		return w->now_ms;
	int64_t next = INT64_MAX;
	for (unsigned level = 0; level < WHEEL_LEVELS; level++) {
		int64_t at = level_next(w, level);
		if (at < next)
			next = at;
	}
	return next;
}

static void empty_slot(struct wheel *w, unsigned level, struct list *into)
{
	unsigned i = (unsigned)(w->now_ms >> (SLOT_BITS * level)) & SLOT_MASK;
	w->used[level][i / 64] &= ~(UINT64_C(1) << (i % 64));
	LIST_EACH(&w->slot[level][i], t, struct timer, link) {
		list_remove(&t->link);
		list_append(into, &t->link);
	}
}

/* At the beginning of a slot of a higher level its timers are spread over the levels below. */
static void cascade(struct wheel *w, unsigned level, struct list *due)
{
	struct list moved;
	list_init(&moved);
	empty_slot(w, level, &moved);
	LIST_EACH(&moved, t, struct timer, link) {
		list_remove(&t->link);
		if (t->due_ms <= w->now_ms)
			list_append(due, &t->link);
		else
			put(w, t);
	}
}

void wheel_advance(struct wheel *w, int64_t now_ms, struct list *due)
{
	LIST_EACH(&w->ready, t, struct timer, link) {
		list_remove(&t->link);
		list_append(due, &t->link);
	}
	while (w->now_ms < now_ms) {
		int64_t next = wheel_next(w);
		if (next > now_ms) {
			w->now_ms = now_ms;
			break;
		}
		w->now_ms = next;
		for (unsigned level = WHEEL_LEVELS - 1; level; level--)
			if (!(next & ((INT64_C(1) << (SLOT_BITS * level)) - 1)))
				cascade(w, level, due);
		empty_slot(w, 0, due);
	}
}
