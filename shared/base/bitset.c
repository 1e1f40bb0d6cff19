#include "bitset.h"

#include <stdlib.h>
#include <string.h>

void bitset_init(struct bitset *s)
{
	*s = (struct bitset){0};
}

void bitset_clear(struct bitset *s)
{
	free(s->words);
	bitset_init(s);
}

static void reach(struct bitset *s, size_t count)
{
	if (count <= s->count)
		return;
	s->words = x_realloc(s->words, count * sizeof(*s->words));
	memset(s->words + s->count, 0, (count - s->count) * sizeof(*s->words));
	s->count = count;
}

void bitset_add(struct bitset *s, size_t n)
{
	size_t word = n / 64;
	if (word >= s->count)
		reach(s, word + 1 + s->count / 2);
	s->words[word] |= UINT64_C(1) << (n % 64);
}

void bitset_remove(struct bitset *s, size_t n)
{
	if (n / 64 < s->count)
		s->words[n / 64] &= ~(UINT64_C(1) << (n % 64));
}

/* Words up to the last one that is not zero: what two equal sets agree on, however they grew. */
static size_t used(const struct bitset *s)
{
	size_t count = s->count;
	while (count && !s->words[count - 1])
		count--;
	return count;
}

void bitset_copy(struct bitset *to, const struct bitset *from)
{
	if (to == from)
		return;
	size_t count = used(from);
	reach(to, count);
	if (count)
		memcpy(to->words, from->words, count * sizeof(*to->words));
	if (to->count > count)
		memset(to->words + count, 0, (to->count - count) * sizeof(*to->words));
}

void bitset_or(struct bitset *to, const struct bitset *other)
{
	size_t count = used(other);
	reach(to, count);
	for (size_t i = 0; i < count; i++)
		to->words[i] |= other->words[i];
}

void bitset_and(struct bitset *to, const struct bitset *other)
{
	for (size_t i = 0; i < to->count; i++)
		to->words[i] &= bitset_word(other, i);
}

void bitset_minus(struct bitset *to, const struct bitset *other)
{
	for (size_t i = 0; i < to->count; i++)
		to->words[i] &= ~bitset_word(other, i);
}

bool bitset_equal(const struct bitset *a, const struct bitset *b)
{
	size_t count = used(a);
	return count == used(b) && (!count || !memcmp(a->words, b->words, count * sizeof(*a->words)));
}

bool bitset_any(const struct bitset *s)
{
	return used(s) > 0;
}

size_t bitset_population(const struct bitset *s)
{
	size_t sum = 0;
	for (size_t i = 0; i < s->count; i++)
		sum += (size_t)__builtin_popcountll(s->words[i]);
	return sum;
}

size_t bitset_next(const struct bitset *s, size_t from)
{
	size_t word = from / 64;
	if (word >= s->count)
		return SIZE_MAX;
	uint64_t bits = s->words[word] & (UINT64_MAX << (from % 64));
	while (!bits) {
		if (++word >= s->count)
			return SIZE_MAX;
		bits = s->words[word];
	}
	return word * 64 + (size_t)__builtin_ctzll(bits);
}

static uint64_t mix(uint64_t x)
{
	x ^= x >> 32;
	x *= UINT64_C(0xd6e8feb86659fd93);
	x ^= x >> 32;
	x *= UINT64_C(0xd6e8feb86659fd93);
	return x ^ x >> 32;
}

uint64_t bitset_hash(const struct bitset *s)
{
	uint64_t hash = UINT64_C(0x9e3779b97f4a7c15);
	size_t count = used(s);
	for (size_t i = 0; i < count; i++)
		hash = mix(hash ^ s->words[i]) + UINT64_C(0x9e3779b97f4a7c15);
	return hash;
}
