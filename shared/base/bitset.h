/* Dense sets of small numbers (node slots), 64 to a word.
 * Not sparse, not thread-safe. Reading past the end is legal and false.
 * bitset_clear frees; copies are independent. */
#ifndef BITSET_H
#define BITSET_H

#include <stdbool.h>
#include <stdint.h>

#include "mem.h"

struct bitset {
	uint64_t *words;
	size_t count; /* words allocated */
};

void bitset_init(struct bitset *s);
void bitset_clear(struct bitset *s);
void bitset_add(struct bitset *s, size_t n);
void bitset_remove(struct bitset *s, size_t n);
static inline bool bitset_has(const struct bitset *s, size_t n)
{
	return n / 64 < s->count && (s->words[n / 64] >> (n % 64) & 1);
}
static inline uint64_t bitset_word(const struct bitset *s, size_t word)
{
	return word < s->count ? s->words[word] : 0;
}
void bitset_copy(struct bitset *to, const struct bitset *from);
void bitset_or(struct bitset *to, const struct bitset *other);
void bitset_and(struct bitset *to, const struct bitset *other);
void bitset_minus(struct bitset *to, const struct bitset *other);
bool bitset_equal(const struct bitset *a, const struct bitset *b);
bool bitset_any(const struct bitset *s);
size_t bitset_population(const struct bitset *s);
/* The first member >= from, or SIZE_MAX. */
size_t bitset_next(const struct bitset *s, size_t from);
uint64_t bitset_hash(const struct bitset *s);

#define BITSET_EACH(s, n) for (size_t n = bitset_next(s, 0); n != SIZE_MAX; n = bitset_next(s, n + 1))

#endif
