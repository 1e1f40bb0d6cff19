#include "purse.h"

#include <pthread.h>
#include <stdlib.h>

#include "list.h"
#include "mem.h"
#include "table.h"

enum {
	PORTION_LEAST = 2048,
	PORTION_MOST = 262144,
	SLICE_MOST = 65536,
	PORTIONS_PER_S = 50,
	HELD_MS = 1000,
	GREEDY_MS = 20,      /* who asks again so soon has more to send */
	WAIT_MOST_MS = 1000, /* after which it is seen whether the rate has changed */
	FORGET_MS = 600000,
	IDLE_MAX = 10000,
};

#define NS_PER_S 1e9
#define NS_PER_MS INT64_C(1000000)
#define FULL_MOST_NS 1e16 /* some months */
#define LONG_AGO_NS (-(INT64_C(1) << 60))

/* Spent by its shard's thread alone. */
struct slice {
	_Alignas(64) uint64_t left;
};

/* A rate and what was taken under it. */
struct terms {
	_Atomic uint64_t per_second, burst;
	/* Until then all that was taken is paid for: the bucket is empty when this is now, full when it is a burst ago. */
	_Atomic int64_t paid_ns;
};

struct purse {
	struct purses *all;
	uint64_t tailnet;
	atomic_uint changes;
	struct terms terms[2]; /* in force, by `changes`; and those before, which a thread may still be at */
	/* Under the lock. */
	struct rate own;
	unsigned clients;
	struct list idle;
	int64_t idle_ms;
	struct slice *slice; /* by shard */
};

struct purses {
	pthread_mutex_t lock;
	unsigned shards;
	struct rate rate;
	struct table *of; /* tailnet -> purse */
	struct list idle; /* no clients; longest first */
	size_t idle_count;
};

static struct terms *terms_of(struct purse *p, unsigned changes)
{
	return &p->terms[changes % 2];
}

static struct terms *in_force(struct purse *p)
{
	return terms_of(p, atomic_load_explicit(&p->changes, memory_order_acquire));
}

static struct rate rate_of(struct terms *t)
{
	return (struct rate){atomic_load_explicit(&t->per_second, memory_order_relaxed), atomic_load_explicit(&t->burst, memory_order_relaxed)};
}

static double ns_of(uint64_t bytes, uint64_t per_second)
{
	double ns = (double)bytes * NS_PER_S / (double)per_second;
	return ns < FULL_MOST_NS ? ns : FULL_MOST_NS;
}

/* Bytes. Portions that are waited for are asked for anew when the rate changes, so that none of them counts. */
static uint64_t left_of(struct terms *t, struct rate rate, int64_t now_ns)
{
	double left = ((double)now_ns - (double)atomic_load(&t->paid_ns)) * (double)rate.per_second / NS_PER_S;
	return left <= 0 ? 0 : left < (double)rate.burst ? (uint64_t)left : rate.burst;
}

/* The bucket keeps what is in it. Where there was no limit it is full. */
static void set(struct purse *p, struct rate rate, struct mono now)
{
	unsigned changes = atomic_load(&p->changes);
	struct terms *t = terms_of(p, changes), *next = terms_of(p, changes + 1);
	struct rate before = rate_of(t);
	int64_t now_ns = now.ms * NS_PER_MS;
	rate = rate_bounded(rate);
	if (rate.per_second == before.per_second && rate.burst == before.burst)
		return;
	atomic_store(&next->per_second, rate.per_second);
	atomic_store(&next->burst, rate.burst);
	if (before.per_second && rate.per_second)
		atomic_store(&next->paid_ns, now_ns - (int64_t)ns_of(left_of(t, before, now_ns), rate.per_second));
	else
		atomic_store(&next->paid_ns, LONG_AGO_NS);
	atomic_fetch_add_explicit(&p->changes, 1, memory_order_release);
}

void purses_set_shards(struct purses *all, unsigned shards)
{
	pthread_mutex_lock(&all->lock);
	all->shards = shards;
	pthread_mutex_unlock(&all->lock);
}

struct purses *purses_new(void)
{
	struct purses *all = x_zalloc(sizeof *all);
	pthread_mutex_init(&all->lock, NULL);
	all->of = table_new();
	list_init(&all->idle);
	return all;
}

static void forget(struct purse *p)
{
	table_remove_number(p->all->of, p->tailnet);
	list_remove(&p->idle);
	p->all->idle_count--;
	free(p->slice);
	free(p);
}

void purses_free(struct purses **purses)
{
	struct purses *all = *purses;
	*purses = NULL;
	if (!all)
		return;
	LIST_EACH(&all->idle, p, struct purse, idle)
		forget(p);
	table_free(&all->of);
	pthread_mutex_destroy(&all->lock);
	free(all);
}

void purses_told(struct purses *all, struct rate rate, struct mono now)
{
	pthread_mutex_lock(&all->lock);
	if (rate.per_second != all->rate.per_second || rate.burst != all->rate.burst) {
		struct bytes key;
		struct purse *p;
		all->rate = rate;
		TABLE_EACH(all->of, key, p)
			if (!p->own.per_second)
				set(p, rate, now);
	}
	pthread_mutex_unlock(&all->lock);
}

static bool is_full(struct purse *p, struct mono now)
{
	struct terms *t = in_force(p);
	struct rate rate = rate_of(t);
	return !rate.per_second || (double)atomic_load(&t->paid_ns) + ns_of(rate.burst, rate.per_second) <= (double)(now.ms * NS_PER_MS);
}

/* A few at a time, from the longest on. */
static void forget_idle(struct purses *all, struct mono now)
{
	unsigned looks = 0;
	LIST_EACH(&all->idle, p, struct purse, idle) {
		if (looks++ == 8)
			return;
		if (all->idle_count > IDLE_MAX || now.ms - p->idle_ms >= FORGET_MS || is_full(p, now))
			forget(p);
	}
}

static struct purse *purse_of(struct purses *all, uint64_t tailnet)
{
	struct purse *p = table_find_number(all->of, tailnet);
	if (p)
		return p;
	p = x_zalloc(sizeof *p);
	p->slice = aligned_alloc(_Alignof(struct slice), all->shards * sizeof *p->slice);
	if (!p->slice)
		abort();
	memset(p->slice, 0, all->shards * sizeof *p->slice);
	p->all = all;
	p->tailnet = tailnet;
	list_init(&p->idle);
	table_put_number(all->of, tailnet, p);
	return p;
}

bool purse_join(struct purse_share *share, struct purses *all, uint64_t tailnet, struct rate own, unsigned shard, struct mono now)
{
	bool moved = (share->purse ? share->purse->tailnet : 0) != tailnet;
	if (moved)
		purse_leave(share, now);
	if (!tailnet)
		return moved;
	pthread_mutex_lock(&all->lock);
	struct purse *p = purse_of(all, tailnet);
	if (!share->purse) {
		if (!p->clients && !list_empty(&p->idle)) {
			list_remove(&p->idle);
			all->idle_count--;
		}
		p->clients++;
		*share = (struct purse_share){.purse = p, .shard = shard};
	}
	p->own = own;
	set(p, own.per_second ? own : all->rate, now);
	forget_idle(all, now);
	pthread_mutex_unlock(&all->lock);
	return moved;
}

/* A turn that has not come is not taken: those who wait behind it move up. */
static void give_back(const struct purse_share *share, struct mono now)
{
	struct purse *p = share->purse;
	struct terms *t = terms_of(p, share->changes);
	if (share->ready_ns > now.ms * NS_PER_MS && share->changes == atomic_load(&p->changes))
		atomic_fetch_sub(&t->paid_ns, (int64_t)ns_of(share->portion, rate_of(t).per_second));
}

void purse_leave(struct purse_share *share, struct mono now)
{
	struct purse *p = share->purse;
	if (!p)
		return;
	give_back(share, now);
	*share = (struct purse_share){0};
	struct purses *all = p->all;
	pthread_mutex_lock(&all->lock);
	if (!--p->clients) {
		p->idle_ms = now.ms;
		list_append(&all->idle, &p->idle);
		all->idle_count++;
	}
	forget_idle(all, now);
	pthread_mutex_unlock(&all->lock);
}

size_t purses_count(struct purses *all)
{
	pthread_mutex_lock(&all->lock);
	size_t count = table_count(all->of);
	pthread_mutex_unlock(&all->lock);
	return count;
}

/* Takes `bytes` and tells when they are paid for; only if that is now, when `at_once`: else 0. */
static int64_t reserve(struct terms *t, uint64_t bytes, struct rate rate, int64_t now_ns, bool at_once)
{
	int64_t full_ns = now_ns - (int64_t)ns_of(rate.burst, rate.per_second), cost_ns = (int64_t)ns_of(bytes, rate.per_second);
	int64_t paid_ns = atomic_load_explicit(&t->paid_ns, memory_order_relaxed), after_ns;
	do {
		after_ns = (paid_ns > full_ns ? paid_ns : full_ns) + cost_ns;
		if (at_once && after_ns > now_ns)
			return 0;
	} while (!atomic_compare_exchange_weak_explicit(&t->paid_ns, &paid_ns, after_ns, memory_order_relaxed, memory_order_relaxed));
	return after_ns;
}

/* All of them together hold no more than a quarter of a burst back. */
static uint64_t slice_of(const struct purse *p, struct rate rate)
{
	uint64_t slice = rate.burst / 4 / p->all->shards;
	return slice < SLICE_MOST ? slice : SLICE_MOST;
}

static bool spend_at_once(struct purse *p, struct terms *t, struct slice *s, uint64_t need, struct rate rate, int64_t now_ns)
{
	uint64_t slice = slice_of(p, rate);
	if (s->left >= need) {
		s->left -= need;
		return true;
	}
	if (slice > need && reserve(t, slice, rate, now_ns, true)) {
		s->left += slice - need;
		return true;
	}
	return reserve(t, need, rate, now_ns, true) != 0;
}

static uint64_t portion_of(const struct purse_share *share, struct rate rate, uint64_t need, int64_t now_ns)
{
	uint64_t most = rate.per_second / PORTIONS_PER_S, portion = need;
	most = most < PORTION_LEAST ? PORTION_LEAST : most > PORTION_MOST ? PORTION_MOST : most;
	if (share->portion && now_ns - share->paid_ns <= GREEDY_MS * NS_PER_MS && portion < 2 * share->portion)
		portion = 2 * share->portion;
	return portion < most ? portion : most;
}

/* Later than all that was taken: some that were before it have left. */
static void move_up(struct purse_share *share, struct terms *t)
{
	int64_t paid_ns = atomic_load_explicit(&t->paid_ns, memory_order_relaxed);
	if (share->ready_ns > paid_ns)
		share->ready_ns = paid_ns;
}

/* Milliseconds until the portion that it waits for is its own. */
static int64_t wait_of(const struct purse_share *share, int64_t now_ns)
{
	int64_t wait_ms = (share->ready_ns - now_ns + NS_PER_MS - 1) / NS_PER_MS;
	return wait_ms < WAIT_MOST_MS ? wait_ms : WAIT_MOST_MS;
}

int64_t purse_take(struct purse_share *share, uint64_t cost, struct mono now)
{
	struct purse *p = share->purse;
	if (!p)
		return 0;
	unsigned changes = atomic_load_explicit(&p->changes, memory_order_acquire);
	struct terms *t = terms_of(p, changes);
	struct rate rate = rate_of(t);
	int64_t now_ns = now.ms * NS_PER_MS;
	if (cost > RATES_COST_MAX)
		cost = RATES_COST_MAX;
	if (changes != share->changes)
		share->ready_ns = 0;
	share->changes = changes;
	if (!rate.per_second)
		return 0;
	if (!share->ready_ns && now_ns - share->paid_ns > HELD_MS * NS_PER_MS)
		share->held = 0;
	if (share->ready_ns)
		move_up(share, t);
	/* Less than a tick ahead is now: its turn came, and what it took is counted. */
	for (;;) {
		if (share->ready_ns && share->ready_ns >= now_ns + NS_PER_MS)
			return wait_of(share, now_ns);
		if (share->ready_ns) {
			share->held += share->portion;
			share->paid_ns = now_ns;
			share->ready_ns = 0;
		}
		if (share->held >= cost) {
			share->held -= cost;
			return 0;
		}
		uint64_t need = cost - share->held;
		if (spend_at_once(p, t, &p->slice[share->shard], need, rate, now_ns)) {
			share->held = 0;
			return 0;
		}
		share->portion = portion_of(share, rate, need, now_ns);
		share->ready_ns = reserve(t, share->portion, rate, now_ns, false);
	}
}

struct rate purse_rate(const struct purse_share *share)
{
	return share->purse ? rate_of(in_force(share->purse)) : (struct rate){0, 0};
}

unsigned purse_changes(const struct purse_share *share)
{
	return share->purse ? atomic_load_explicit(&share->purse->changes, memory_order_acquire) : 0;
}
