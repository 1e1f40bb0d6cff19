#include "table.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/random.h>

/* Entries lie densely in one array; slots (open addressing, linear probing) hold 1 + the index of an entry, 0 being free. */
enum { SLOTS_MIN = 8, INLINE_KEY = 8 };

struct entry {
	uint32_t hash, len;
	union {
		uint8_t near[INLINE_KEY];
		uint8_t *far; /* keys longer than INLINE_KEY */
	};
	void *value;
};

struct table {
	struct entry *entries;
	size_t count, room;
	uint32_t *slots;
	size_t mask; /* slots - 1; 0 while there are none */
};

static uint64_t seed[2];
static pthread_once_t seeded = PTHREAD_ONCE_INIT;

static void take_seed(void)
{
	ssize_t got = getrandom(seed, sizeof(seed), 0);
	assert(got == sizeof(seed));
}

static uint64_t rotate(uint64_t x, int by)
{
	return x << by | x >> (64 - by);
}

static void sip_round(uint64_t v[4])
{
	v[0] += v[1], v[2] += v[3];
	v[1] = rotate(v[1], 13) ^ v[0], v[3] = rotate(v[3], 16) ^ v[2];
	v[0] = rotate(v[0], 32);
	v[2] += v[1], v[0] += v[3];
	v[1] = rotate(v[1], 17) ^ v[2], v[3] = rotate(v[3], 21) ^ v[0];
	v[2] = rotate(v[2], 32);
}

/* SipHash-1-3: strangers choose keys, so the hash is keyed. */
static uint32_t hash_of(struct bytes key)
{
	uint64_t v[4] = {seed[0] ^ 0x736f6d6570736575, seed[1] ^ 0x646f72616e646f6d, seed[0] ^ 0x6c7967656e657261, seed[1] ^ 0x7465646279746573};
	uint64_t last = (uint64_t)key.len << 56, word;
	size_t whole = key.len / 8 * 8;
	for (size_t i = 0; i < whole; i += 8) {
		memcpy(&word, key.at + i, 8);
		v[3] ^= word;
		sip_round(v);
		v[0] ^= word;
	}
	for (size_t i = whole; i < key.len; i++)
		last |= (uint64_t)key.at[i] << 8 * (i - whole);
	v[3] ^= last;
	sip_round(v);
	v[0] ^= last;
	v[2] ^= 0xff;
	for (int i = 0; i < 3; i++)
		sip_round(v);
	uint64_t sum = v[0] ^ v[1] ^ v[2] ^ v[3];
	return (uint32_t)(sum ^ sum >> 32);
}

struct table *table_new(void)
{
	pthread_once(&seeded, take_seed);
	return x_zalloc(sizeof(struct table));
}

void table_free(struct table **table)
{
	struct table *t = *table;
	*table = NULL;
	if (!t)
		return;
	for (size_t i = 0; i < t->count; i++) {
		if (t->entries[i].len > INLINE_KEY)
			free(t->entries[i].far);
	}
	free(t->entries);
	free(t->slots);
	free(t);
}

size_t table_count(const struct table *t)
{
	return t->count;
}

static struct bytes key_of(const struct entry *e)
{
	return bytes_of(e->len > INLINE_KEY ? e->far : e->near, e->len);
}

/* The slot that holds `key`, or the free one where it would go. Needs slots. */
static size_t slot_of(const struct table *t, struct bytes key, uint32_t hash)
{
	for (size_t slot = hash & t->mask;; slot = (slot + 1) & t->mask) {
		if (!t->slots[slot])
			return slot;
		const struct entry *e = &t->entries[t->slots[slot] - 1];
		if (e->hash == hash && bytes_equal(key_of(e), key))
			return slot;
	}
}

static void grow_slots(struct table *t)
{
	size_t count = t->slots ? (t->mask + 1) * 2 : SLOTS_MIN;
	assert(count <= UINT32_MAX);
	free(t->slots);
	t->slots = x_zalloc(count * sizeof(*t->slots));
	t->mask = count - 1;
	for (size_t i = 0; i < t->count; i++) {
		size_t slot = t->entries[i].hash & t->mask;
		while (t->slots[slot])
			slot = (slot + 1) & t->mask;
		t->slots[slot] = (uint32_t)i + 1;
	}
}

void *table_find(const struct table *t, struct bytes key)
{
	if (!t->count)
		return NULL;
	uint32_t index = t->slots[slot_of(t, key, hash_of(key))];
	return index ? t->entries[index - 1].value : NULL;
}

void *table_put(struct table *t, struct bytes key, void *value)
{
	assert(value && key.len <= UINT32_MAX);
	uint32_t hash = hash_of(key);
	if (!t->slots || t->count >= (t->mask + 1) / 4 * 3)
		grow_slots(t);
	size_t slot = slot_of(t, key, hash);
	if (t->slots[slot]) {
		struct entry *e = &t->entries[t->slots[slot] - 1];
		void *before = e->value;
		e->value = value;
		return before;
	}
	if (t->count == t->room) {
		t->room = t->room ? t->room * 2 : SLOTS_MIN;
		t->entries = x_realloc(t->entries, t->room * sizeof(*t->entries));
	}
	struct entry fresh = {.hash = hash, .len = (uint32_t)key.len, .value = value};
	if (key.len > INLINE_KEY)
		fresh.far = x_dup(key.at, key.len);
	else if (key.len)
		memcpy(fresh.near, key.at, key.len);
	t->entries[t->count++] = fresh;
	t->slots[slot] = (uint32_t)t->count;
	return NULL;
}

/* Frees a slot and draws later ones of the same run back, so that no tombstones are needed. */
static void free_slot(struct table *t, size_t slot)
{
	for (size_t next = slot;;) {
		next = (next + 1) & t->mask;
		if (!t->slots[next])
			break;
		size_t home = t->entries[t->slots[next] - 1].hash & t->mask;
		if (((next - home) & t->mask) >= ((next - slot) & t->mask)) {
			t->slots[slot] = t->slots[next];
			slot = next;
		}
	}
	t->slots[slot] = 0;
}

void *table_remove(struct table *t, struct bytes key)
{
	if (!t->count)
		return NULL;
	size_t slot = slot_of(t, key, hash_of(key));
	if (!t->slots[slot])
		return NULL;
	size_t index = t->slots[slot] - 1, last = t->count - 1;
	struct entry gone = t->entries[index];
	free_slot(t, slot);
	if (index != last) {
		size_t moved = t->entries[last].hash & t->mask;
		while (t->slots[moved] != last + 1)
			moved = (moved + 1) & t->mask;
		t->slots[moved] = (uint32_t)index + 1;
		t->entries[index] = t->entries[last];
	}
	t->count--;
	if (gone.len > INLINE_KEY)
		free(gone.far);
	return gone.value;
}

void *table_find_number(const struct table *t, uint64_t key)
{
	return table_find(t, bytes_of(&key, sizeof(key)));
}

void *table_put_number(struct table *t, uint64_t key, void *value)
{
	return table_put(t, bytes_of(&key, sizeof(key)), value);
}

void *table_remove_number(struct table *t, uint64_t key)
{
	return table_remove(t, bytes_of(&key, sizeof(key)));
}

/* Backwards: a removal moves the last entry, which was visited already, into the gap. *at is the index last visited, plus one. */
bool table_next(const struct table *t, size_t *at, struct bytes *key, void **value)
{
	if (*at == 1)
		return false;
	size_t left = *at ? *at - 1 : t->count;
	if (left > t->count)
		left = t->count;
	if (!left)
		return false;
	*at = left;
	*key = key_of(&t->entries[left - 1]);
	*value = t->entries[left - 1].value;
	return true;
}
