#include "arena.h"

#include <assert.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>

#if defined(__SANITIZE_ADDRESS__)
#define ARENA_POISON 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_POISON 1
#endif
#endif

#ifdef ARENA_POISON
#include <sanitizer/asan_interface.h>
#define POISON(at, len) ASAN_POISON_MEMORY_REGION(at, len)
#define UNPOISON(at, len) ASAN_UNPOISON_MEMORY_REGION(at, len)
enum { GAP = 16 }; /* an unreadable gap behind every piece, so that an overrun is found */
#else
#define POISON(at, len) ((void)(at), (void)(len))
#define UNPOISON(at, len) ((void)(at), (void)(len))
enum { GAP = 0 };
#endif

enum { BLOCK_MIN = 4096, BLOCK_MAX = 65536, BIG_SHARE = 4 };

struct block {
	struct block *next;
	size_t room, used;
	alignas(max_align_t) uint8_t at[];
};

struct arena {
	struct block *current; /* head of the list of all blocks */
	struct block *first;   /* stays at a reset */
	size_t held;
	size_t next_room;
};

static struct block *block_new(struct arena *a, size_t room)
{
	struct block *b = x_alloc(sizeof(*b) + room);
	b->next = NULL;
	b->room = room;
	b->used = 0;
	a->held += sizeof(*b) + room;
	POISON(b->at, room);
	return b;
}

static void block_free(struct arena *a, struct block *b)
{
	a->held -= sizeof(*b) + b->room;
	UNPOISON(b->at, b->room);
	free(b);
}

struct arena *arena_new(void)
{
	struct arena *a = x_zalloc(sizeof(*a));
	a->held = sizeof(*a);
	a->next_room = BLOCK_MIN * 2 - sizeof(struct block);
	a->current = a->first = block_new(a, BLOCK_MIN - sizeof(struct block));
	return a;
}

void arena_reset(struct arena *a)
{
	while (a->current) {
		struct block *gone = a->current;
		a->current = gone->next;
		if (gone != a->first)
			block_free(a, gone);
	}
	a->current = a->first;
	a->first->next = NULL;
	a->first->used = 0;
	POISON(a->first->at, a->first->room);
	a->next_room = BLOCK_MIN * 2 - sizeof(struct block);
}

void arena_free(struct arena **arena)
{
	struct arena *a = *arena;
	*arena = NULL;
	if (!a)
		return;
	arena_reset(a);
	block_free(a, a->first);
	free(a);
}

static struct block *block_for(struct arena *a, size_t size)
{
	struct block *b = a->current;
	if (size <= b->room - b->used)
		return b;
	if (size > a->next_room / BIG_SHARE) { /* a block of its own, behind the current one, which still has room */
		struct block *own = block_new(a, size);
		own->next = b->next;
		b->next = own;
		return own;
	}
	struct block *fresh = block_new(a, a->next_room);
	if (a->next_room < BLOCK_MAX - sizeof(struct block))
		a->next_room = (a->next_room + sizeof(struct block)) * 2 - sizeof(struct block);
	fresh->next = b;
	a->current = fresh;
	return fresh;
}

void *arena_alloc(struct arena *a, size_t size)
{
	const size_t align = alignof(max_align_t);
	assert(size < SIZE_MAX / 2);
	struct block *b = block_for(a, (size + GAP + align - 1) / align * align);
	void *at = b->at + b->used;
	b->used += (size + GAP + align - 1) / align * align;
	UNPOISON(at, size);
	memset(at, 0, size);
	return at;
}

struct bytes arena_copy(struct arena *a, struct bytes b)
{
	return bytes_of(arena_text(a, b), b.len);
}

char *arena_text(struct arena *a, struct bytes b)
{
	char *copy = arena_alloc(a, b.len + 1);
	if (b.len)
		memcpy(copy, b.at, b.len);
	return copy;
}

char *arena_format(struct arena *a, const char *format, ...)
{
	va_list args, again;
	va_start(args, format);
	va_copy(again, args);
	int len = vsnprintf(NULL, 0, format, args);
	assert(len >= 0);
	char *text = arena_alloc(a, (size_t)len + 1);
	vsnprintf(text, (size_t)len + 1, format, again);
	va_end(again);
	va_end(args);
	return text;
}

size_t arena_size(const struct arena *a)
{
	return a->held;
}
