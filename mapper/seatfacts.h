/* What rules may ask of a node (policy/nodefacts.h), in one block that a seat keeps; read anew only when its hostinfo or its attributes are others.
 * Not the rows (store/attributes.h). Pure; a block is ended by free(). */
#ifndef SEATFACTS_H
#define SEATFACTS_H

#include "attributes.h"
#include "roll.h"

struct seatfacts {
	uint64_t of; /* hash of what it was read from */
	size_t count;
	struct roll_fact list[];
};

/* Of a row's hostinfo, by its hash too, and its attributes. `old`, which may be NULL, when nothing that can be asked differs. */
struct seatfacts *seatfacts_read(struct seatfacts *old, struct bytes hostinfo, uint64_t hostinfo_hash, const struct attribute_fact *attributes, size_t count);
/* Those of one node in a list sorted by node; how many. */
size_t seatfacts_find(const struct attribute_fact *all, size_t count, uint64_t node, const struct attribute_fact **first);

#endif
