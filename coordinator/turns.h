/* Whose turn it is to try a policy: trials take a second of a processor at most and run off the loops, a few at once in the process, one at once per tailnet.
 * The rest waits in the order it came; past the bounds it is refused. Not the trial (trial.h).
 * The turn is its owner's, and stays until it left. Called and answered on the turn's loop. */
#ifndef TURNS_H
#define TURNS_H

#include "loop.h"

enum {
	TURNS_AT_ONCE = 2, /* in the process: fewer than the helpers of task_run, which others need too */
	TURNS_WAITING_OF_TAILNET = 32,
	TURNS_WAITING_MAX = 256,
	TURNS_WAITING_BYTES = 64 << 20 /* texts of those that wait */
};

enum turn_state { TURN_NONE, TURN_WAITS, TURN_POSTED, TURN_GIVEN, TURN_WORKS }; /* posted: given or refused, not told yet */

struct turn {
	struct list link;
	struct loop *loop;
	uint64_t tailnet;
	unsigned most;
	size_t size;
	enum turn_state state;
	bool ended;
	enum err refused;
	struct diag why;
	void (*on_turn)(void *context, enum err e, const struct diag *why);
	void (*work)(void *context);
	void (*on_worked)(void *context);
	void *context;
};

/* on_turn comes once, never before this returned. ERR_EXHAUSTED: too many of this tailnet wait; ERR_UNAVAILABLE: too many in all; ERR_CANCELED: the loop ends.
 * With an error the turn has left already. `most`: that may wait of this tailnet (of people TURNS_WAITING_OF_TAILNET); `size`: bytes that are held
 * meanwhile. */
void turn_take(struct turn *turn, struct loop *loop, uint64_t tailnet, unsigned most, size_t size,
	       void (*on_turn)(void *context, enum err e, const struct diag *why), void *context);
/* After on_turn, at most once: work on a helper thread, then on_worked. */
void turn_work(struct turn *turn, void (*work)(void *context), void (*on_worked)(void *context));
void turn_leave(struct turn *turn);
/* Those that wait on this loop are canceled, work under way is waited for, all is told. Runs the loop, hence not from within a handler; what owners need goes
 * before the loop runs again, for whoever has the turn may go on then. */
void turns_end(struct loop *loop);

#endif
