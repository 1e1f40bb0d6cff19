#include "clock.h"

#include <stdatomic.h>
#include <time.h>

static _Atomic bool by_hand;
static _Atomic int64_t hand_mono_ms, hand_wall_ns;

static int64_t read_ns(clockid_t id)
{
	struct timespec t;
	clock_gettime(id, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

struct mono clock_mono(void)
{
	return (struct mono){by_hand ? hand_mono_ms : read_ns(CLOCK_MONOTONIC) / 1000000};
}

uint64_t clock_mono_us(void)
{
	return (uint64_t)(by_hand ? hand_mono_ms * 1000 : read_ns(CLOCK_MONOTONIC) / 1000);
}

struct wall clock_wall(void)
{
	return (struct wall){by_hand ? hand_wall_ns : read_ns(CLOCK_REALTIME)};
}

void clock_set_by_hand(struct mono mono, struct wall wall)
{
	hand_mono_ms = mono.ms;
	hand_wall_ns = wall.ns;
	by_hand = true;
}

void clock_step_by_hand(int64_t ms)
{
	hand_mono_ms += ms;
	hand_wall_ns += ms * 1000000;
}
