#include "landing.h"

#include <stdlib.h>

enum { SPARE_TURNS = 1000 }; /* turns that one block was enough for */

uint8_t *landing_room(struct landing *l)
{
	if (LANDING_BLOCK - l->used < LANDING_ROOM) {
		if (l->current + 1 == LANDING_BLOCKS)
			return NULL;
		l->current++;
		l->used = 0;
	}
	if (!l->block[l->current])
		l->block[l->current] = x_alloc(LANDING_BLOCK);
	return l->block[l->current] + l->used;
}

void landing_take(struct landing *l, size_t count)
{
	l->used += count;
}

void landing_turn(struct landing *l)
{
	l->idle_turns = l->current ? 0 : l->idle_turns + 1;
	l->current = 0;
	l->used = 0;
	if (l->idle_turns != SPARE_TURNS)
		return;
	for (unsigned i = 1; i < LANDING_BLOCKS; i++) {
		free(l->block[i]);
		l->block[i] = NULL;
	}
}

void landing_clear(struct landing *l)
{
	for (unsigned i = 0; i < LANDING_BLOCKS; i++)
		free(l->block[i]);
	*l = (struct landing){0};
}
