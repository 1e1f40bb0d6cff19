/* Who should hear which event, and who did: delivered, superseded (a newer event of the same mover was heard), missed, duplicate, reordered, leaked.
 * Not a reader of frames (reader.h); it reads no clock.
 * ledger_init/clear; events are numbered on from `base`, so that tokens of an earlier phase are known as stale. */
#ifndef LEDGER_H
#define LEDGER_H

#include "stats.h"
#include "token.h"

struct fact {
	enum token_kind kind;
	unsigned mover;
	uint64_t intended_us, last_us;
	uint64_t *expected, *seen; /* bits by receiver */
	int64_t newer;             /* index of the next event of the same mover and kind, or -1 */
};

struct ledger {
	struct fact *facts;
	size_t count, room;
	uint32_t base;
	unsigned receivers;
	int64_t *newest[TOKEN_KINDS]; /* by kind and mover: index of its last event, or -1 */
	size_t settled;               /* all before it are settled */
	uint64_t delivered, duplicate, reordered, leaked, stale;
	struct stats latency;
};

struct outcome {
	uint64_t delivered, superseded, missed, duplicate, reordered, leaked;
	struct stats last; /* per event: when the last receiver knew */
};

void ledger_init(struct ledger *l, uint32_t base, unsigned receivers, size_t most_events);
void ledger_clear(struct ledger *l);
/* The event's number. `expected` has a bit per receiver; the mover's own is left out. Mover `receivers`: none of them. Aborts past most_events. */
uint32_t ledger_inject(struct ledger *l, enum token_kind kind, unsigned mover, uint64_t intended_us, const uint64_t *expected);
void ledger_see(struct ledger *l, struct token token, unsigned receiver, uint64_t now_us);
/* Everybody has heard each event or a newer one. */
bool ledger_settled(struct ledger *l);
void ledger_judge(const struct ledger *l, struct outcome *outcome);

static inline size_t ledger_words(const struct ledger *l)
{
	return (l->receivers + 63) / 64;
}
static inline void bit_set(uint64_t *bits, unsigned at)
{
	bits[at / 64] |= UINT64_C(1) << at % 64;
}
static inline void bit_clear(uint64_t *bits, unsigned at)
{
	bits[at / 64] &= ~(UINT64_C(1) << at % 64);
}
static inline bool bit_has(const uint64_t *bits, unsigned at)
{
	return bits[at / 64] >> at % 64 & 1;
}

#endif
