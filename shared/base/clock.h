/* The only reader of the system clock: monotonic milliseconds, and wall time in nanoseconds since 1970.
 * Not a timer: see loop.h.
 * Tests replace it for the whole process with clock_set_by_hand. */
#ifndef CLOCK_H
#define CLOCK_H

#include <stdbool.h>
#include <stdint.h>

struct mono {
	int64_t ms;
};

/* WALL_ZERO stands for Go's zero time, "not set". */
struct wall {
	int64_t ns;
};

#define WALL_ZERO ((struct wall){INT64_MIN})
static inline bool wall_is_zero(struct wall w)
{
	return w.ns == INT64_MIN;
}
static inline struct wall wall_of_ms(int64_t ms)
{
	return (struct wall){ms * 1000000};
}
static inline struct wall wall_add_ms(struct wall w, int64_t ms)
{
	return wall_is_zero(w) ? w : (struct wall){w.ns + ms * 1000000};
}
/* Set and not after `now`. */
static inline bool wall_passed(struct wall w, struct wall now)
{
	return !wall_is_zero(w) && w.ns <= now.ns;
}

struct mono clock_mono(void);
uint64_t clock_mono_us(void); /* for measuring work */
struct wall clock_wall(void);
void clock_set_by_hand(struct mono mono, struct wall wall); /* tests only; from now on both stand still */
void clock_step_by_hand(int64_t ms);

#endif
