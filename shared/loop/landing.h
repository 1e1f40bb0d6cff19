/* Where what one turn of a loop reads lands: blocks of memory that stay as they are until the loop reads again, so that packets can be handed on in place.
 * Not for what outlives a turn: its user copies that. Bounded: a turn that has read so much reads the rest in the next.
 * One per loop, private to this module; what has landed belongs to the turn. */
#ifndef LANDING_H
#define LANDING_H

#include "mem.h"

#include <stdbool.h>
#include <stdint.h>

enum { LANDING_BLOCK = 256 * 1024, LANDING_BLOCKS = 16, LANDING_ROOM = 96 * 1024 };

struct landing {
	uint8_t *block[LANDING_BLOCKS];
	unsigned current;
	size_t used; /* of the current block */
	unsigned idle_turns;
};

/* LANDING_ROOM bytes that are free, or NULL: this turn has read enough. */
uint8_t *landing_room(struct landing *l);
/* The first `count` of them have been filled. */
void landing_take(struct landing *l, size_t count);
/* A new turn: nobody uses what landed before. Memory that was not needed for a while is given back. */
void landing_turn(struct landing *l);
void landing_clear(struct landing *l);

#endif
