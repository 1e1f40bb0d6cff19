#include "buffer.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { ROOM_MIN = 64 };

void buffer_init(struct buffer *b, size_t cap)
{
	*b = (struct buffer){.cap = cap};
}

void buffer_clear(struct buffer *b)
{
	free(b->base);
	buffer_init(b, b->cap);
}

void buffer_reset(struct buffer *b)
{
	b->at = b->base;
	b->len = 0;
}

static size_t consumed(const struct buffer *b)
{
	return b->base ? (size_t)(b->at - b->base) : 0;
}

static void to_front(struct buffer *b)
{
	if (b->len && b->at != b->base)
		memmove(b->base, b->at, b->len);
	b->at = b->base;
}

/* A buffer that is read and filled at once may take half of its cap more than it holds, so that a move to the front comes at most once per
 * half a cap of bytes. One that is only filled never takes more than its cap. */
static void grow(struct buffer *b, size_t need)
{
	size_t most = b->cap, room = b->room < SIZE_MAX / 2 ? b->room * 2 : SIZE_MAX;
	if (consumed(b))
		most = b->cap + (b->cap / 2 < SIZE_MAX - b->cap ? b->cap / 2 : SIZE_MAX - b->cap);
	if (room < ROOM_MIN)
		room = ROOM_MIN;
	if (room < need)
		room = need;
	if (room > most)
		room = most;
	if (consumed(b)) {
		uint8_t *base = x_alloc(room);
		if (b->len)
			memcpy(base, b->at, b->len);
		free(b->base);
		b->base = base;
	} else {
		b->base = x_realloc(b->base, room);
	}
	b->at = b->base;
	b->room = room;
}

uint8_t *buffer_reserve(struct buffer *b, size_t count)
{
	if (b->len > b->cap || count > b->cap - b->len)
		return NULL;
	size_t front = consumed(b), need = b->len + count;
	if (!b->base || need > b->room - front) {
		bool move = b->base && need <= b->room && (front >= b->len || front >= b->cap / 2);
		if (move)
			to_front(b);
		else
			grow(b, need);
	}
	return b->at + b->len;
}

void buffer_filled(struct buffer *b, size_t count)
{
	assert(count <= b->room - consumed(b) - b->len);
	b->len += count;
}

enum err buffer_add(struct buffer *b, struct bytes s)
{
	if (!s.len)
		return ERR_NONE;
	uint8_t *to = buffer_reserve(b, s.len);
	if (!to)
		return ERR_TOO_BIG;
	memcpy(to, s.at, s.len);
	b->len += s.len;
	return ERR_NONE;
}

enum err buffer_add_text(struct buffer *b, const char *text)
{
	return buffer_add(b, bytes_text(text));
}

enum err buffer_add_byte(struct buffer *b, uint8_t byte)
{
	return buffer_add(b, bytes_of(&byte, 1));
}

enum err buffer_format(struct buffer *b, const char *format, ...)
{
	char small[256], *text = small;
	va_list args, again;
	va_start(args, format);
	va_copy(again, args);
	int len = vsnprintf(small, sizeof(small), format, args);
	assert(len >= 0);
	if ((size_t)len >= sizeof(small)) {
		text = x_alloc((size_t)len + 1);
		vsnprintf(text, (size_t)len + 1, format, again);
	}
	va_end(again);
	va_end(args);
	enum err e = buffer_add(b, bytes_of(text, (size_t)len));
	if (text != small)
		free(text);
	return e;
}

void buffer_consume(struct buffer *b, size_t count)
{
	assert(count <= b->len);
	b->len -= count;
	if (!b->len)
		b->at = b->base;
	else
		b->at += count;
}

void buffer_cut(struct buffer *b, size_t len)
{
	assert(len <= b->len);
	b->len = len;
}

void buffer_move(struct buffer *to, struct buffer *from)
{
	assert(to != from && from->len <= to->cap);
	size_t cap = to->cap;
	free(to->base);
	*to = *from;
	to->cap = cap;
	buffer_init(from, from->cap);
}
