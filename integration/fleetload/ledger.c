#include "ledger.h"

#include <stdlib.h>

void ledger_init(struct ledger *l, uint32_t base, unsigned receivers, size_t most_events)
{
	*l = (struct ledger){.room = most_events, .base = base, .receivers = receivers};
	l->facts = x_zalloc(most_events * sizeof *l->facts);
	for (unsigned kind = 0; kind < COUNT_OF(l->newest); kind++) {
		l->newest[kind] = x_alloc((receivers + 1) * sizeof *l->newest[kind]);
		for (unsigned i = 0; i <= receivers; i++)
			l->newest[kind][i] = -1;
	}
}

void ledger_clear(struct ledger *l)
{
	for (size_t i = 0; i < l->count; i++) {
		free(l->facts[i].expected);
		free(l->facts[i].seen);
	}
	free(l->facts);
	for (unsigned kind = 0; kind < COUNT_OF(l->newest); kind++)
		free(l->newest[kind]);
	*l = (struct ledger){0};
}

uint32_t ledger_inject(struct ledger *l, enum token_kind kind, unsigned mover, uint64_t intended_us, const uint64_t *expected)
{
	size_t bytes = ledger_words(l) * sizeof *expected;
	struct fact *fact = &l->facts[l->count];

	if (l->count == l->room || mover > l->receivers)
		abort();
	*fact = (struct fact){.kind = kind, .mover = mover, .intended_us = intended_us, .newer = -1};
	fact->expected = x_dup(expected, bytes);
	fact->seen = x_zalloc(bytes);
	if (mover < l->receivers)
		bit_clear(fact->expected, mover);
	if (l->newest[kind][mover] >= 0)
		l->facts[l->newest[kind][mover]].newer = (int64_t)l->count;
	l->newest[kind][mover] = (int64_t)l->count;
	return l->base + (uint32_t)l->count++;
}

static bool newer_was_seen(const struct ledger *l, const struct fact *fact, unsigned receiver)
{
	for (int64_t i = fact->newer; i >= 0; i = l->facts[i].newer)
		if (bit_has(l->facts[i].seen, receiver))
			return true;
	return false;
}

void ledger_see(struct ledger *l, struct token token, unsigned receiver, uint64_t now_us)
{
	struct fact *fact;

	if (token.event < l->base || token.event - l->base >= l->count || l->facts[token.event - l->base].kind != token.kind) {
		l->stale++;
		return;
	}
	fact = &l->facts[token.event - l->base];
	if (receiver == fact->mover)
		return;
	if (!bit_has(fact->expected, receiver)) {
		l->leaked++;
		return;
	}
	if (bit_has(fact->seen, receiver)) {
		/* Who joined comes whole once more when it has told its disco key; one filter names its port for each address. */
		l->duplicate += token.kind == TOKEN_MOVE;
		return;
	}
	l->reordered += newer_was_seen(l, fact, receiver);
	bit_set(fact->seen, receiver);
	l->delivered++;
	fact->last_us = now_us;
	stats_add(&l->latency, now_us > fact->intended_us ? now_us - fact->intended_us : 0);
}

/* Receivers that heard neither this event nor a newer one; *superseded: those that heard only a newer one. */
static uint64_t missed_of(const struct ledger *l, const struct fact *fact, uint64_t *superseded)
{
	uint64_t missed = 0;

	*superseded = 0;
	for (size_t word = 0; word < ledger_words(l); word++) {
		uint64_t open = fact->expected[word] & ~fact->seen[word], left = open;

		for (int64_t i = fact->newer; i >= 0 && left; i = l->facts[i].newer)
			left &= ~l->facts[i].seen[word];
		missed += (uint64_t)__builtin_popcountll(left);
		*superseded += (uint64_t)__builtin_popcountll(open & ~left);
	}
	return missed;
}

bool ledger_settled(struct ledger *l)
{
	uint64_t superseded;

	while (l->settled < l->count && !missed_of(l, &l->facts[l->settled], &superseded))
		l->settled++;
	return l->settled == l->count;
}

void ledger_judge(const struct ledger *l, struct outcome *outcome)
{
	*outcome = (struct outcome){.delivered = l->delivered, .duplicate = l->duplicate, .reordered = l->reordered, .leaked = l->leaked};
	for (size_t i = 0; i < l->count; i++) {
		const struct fact *fact = &l->facts[i];
		uint64_t superseded;

		outcome->missed += missed_of(l, fact, &superseded);
		outcome->superseded += superseded;
		if (fact->last_us)
			stats_add(&outcome->last, fact->last_us > fact->intended_us ? fact->last_us - fact->intended_us : 0);
	}
}
