/* What following needs from one node to the next. Private to follow.c and move.c.
 * Not the promise (follow.h). */
#ifndef FOLLOWING_H
#define FOLLOWING_H

#include "follow.h"
#include "resolve.h"

struct following {
	struct policy *policy;
	struct resolver *r;
	struct touched *touched;
	struct bitset later; /* slots that are still to be followed: nobody's twins */
	struct bitset in;    /* numbers of identity aliases that name the node at hand */
	struct bitset twins;
	struct bitset sources; /* numbers of those whose addresses are others now */
	uint32_t slot;
	struct ip ip[2]; /* of the node at hand */
};

struct ip following_ip(const struct resolver *r, uint32_t slot, size_t family);
/* Adds to `in`. */
void following_ask(struct following *f, const struct node *node);
void following_put(struct resolver *r, uint32_t slot, struct ip ip);
void following_take(struct resolver *r, uint32_t slot, struct ip ip);
/* Nobody has it, and no route leads to it. */
bool following_is_free(const struct resolver *r, struct ip ip);
/* Nobody else has it, and no route leads to it. */
bool following_is_alone(const struct resolver *r, uint32_t slot, size_t family);

/* move.c: the node at hand without a twin. False: rules would be merged otherwise; the policy is of no use any more. */
bool following_move(struct following *f);

#endif
