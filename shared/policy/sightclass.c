#include "sightgroup.h"

#include <stdlib.h>

/* Pairs of an old class and a word that have been seen in this chunk, and the class that they make. */
struct cell {
	uint64_t word;
	uint32_t class, made;
	uint32_t chunk; /* in which the cell was filled, + 1 */
};

struct split {
	struct cell *cells;
	size_t mask;
};

/* A 64 x 64 matrix of bits, turned over in place: blocks of 32, 16, ... 1 change places. */
static void turn(uint64_t m[static 64])
{
	uint64_t mask = UINT64_C(0x00000000ffffffff);
	for (unsigned width = 32; width; width >>= 1, mask ^= mask << width) {
		for (unsigned i = 0; i < 64; i = (i + width + 1) & ~width) {
			uint64_t moved = (m[i] >> width ^ m[i + width]) & mask;
			m[i + width] ^= moved;
			m[i] ^= moved << width;
		}
	}
}

bool sight_columns(const struct sight_groups *groups, size_t chunk, size_t block, uint64_t columns[static 64])
{
	uint64_t any = 0;
	for (size_t i = 0; i < 64; i++) {
		size_t at = chunk * 64 + i;
		columns[i] = at < groups->count ? bitset_word(groups->list[at]->members, block) : 0;
		any |= columns[i];
	}
	if (any)
		turn(columns);
	return any != 0;
}

static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 32) * UINT64_C(0xd6e8feb86659fd93);
	x = (x ^ x >> 32) * UINT64_C(0xd6e8feb86659fd93);
	return x ^ x >> 32;
}

static uint32_t refine(struct split *split, size_t chunk, uint32_t class, uint64_t word, size_t *count)
{
	for (size_t at = mix(word + class * UINT64_C(0x9e3779b97f4a7c15)) & split->mask;; at = (at + 1) & split->mask) {
		struct cell *cell = &split->cells[at];
		if (cell->chunk != chunk + 1) {
			*cell = (struct cell){word, class, (uint32_t)(*count)++, (uint32_t)chunk + 1};
			return cell->made;
		}
		if (cell->class == class && cell->word == word)
			return cell->made;
	}
}

/* Splitting makes a new number for every part that is in a group of the chunk, so numbers have gaps in the end. */
static size_t close_gaps(uint32_t *classes, size_t slots, size_t numbers)
{
	uint32_t *dense = x_alloc((numbers + 1) * sizeof *dense);
	size_t count = 0;
	memset(dense, 0xff, (numbers + 1) * sizeof *dense);
	for (size_t i = 0; i < slots; i++) {
		if (classes[i] == UINT32_MAX)
			continue;
		if (dense[classes[i]] == UINT32_MAX)
			dense[classes[i]] = (uint32_t)count++;
		classes[i] = dense[classes[i]];
	}
	free(dense);
	return count;
}

size_t sight_classes(const struct sight_groups *groups, const struct roll *roll, uint32_t *classes)
{
	size_t slots = roll->node_count, room = 64, numbers = 1;
	uint64_t columns[64];
	while (room < 2 * slots)
		room *= 2;
	struct split split = {x_zalloc(room * sizeof *split.cells), room - 1};
	for (size_t i = 0; i < slots; i++)
		classes[i] = roll->nodes[i].node ? 0 : UINT32_MAX;
	for (size_t chunk = 0; chunk * 64 < groups->count; chunk++) {
		for (size_t block = 0; block * 64 < slots; block++) {
			if (!sight_columns(groups, chunk, block, columns))
				continue;
			for (size_t i = 0; i < 64 && block * 64 + i < slots; i++) {
				uint32_t *class = &classes[block * 64 + i];
				if (columns[i] && *class != UINT32_MAX)
					*class = refine(&split, chunk, *class, columns[i], &numbers);
			}
		}
		if (numbers > UINT32_MAX / 2)
			numbers = close_gaps(classes, slots, numbers);
	}
	free(split.cells);
	return close_gaps(classes, slots, numbers);
}
