/* Owned, growing bytes with a cap; consumed from the front, filled at the back.
 * Not shared: one owner, one thread. For views see bytes.h.
 * buffer_clear frees; a cleared or zero-initialised-by-buffer_init buffer holds no memory. */
#ifndef BUFFER_H
#define BUFFER_H

#include "bytes.h"
#include "err.h"

struct buffer {
	uint8_t *at;   /* first unread byte */
	size_t len;    /* unread bytes */
	uint8_t *base; /* start of the allocation */
	size_t room;   /* size of the allocation */
	size_t cap;    /* most bytes it may ever hold */
};

void buffer_init(struct buffer *b, size_t cap);
void buffer_clear(struct buffer *b);                            /* frees the memory, keeps the cap */
void buffer_reset(struct buffer *b);                            /* empties, keeps the memory */
MUST_USE enum err buffer_add(struct buffer *b, struct bytes s); /* ERR_TOO_BIG past the cap; b unchanged */
MUST_USE enum err buffer_add_text(struct buffer *b, const char *text);
MUST_USE enum err buffer_add_byte(struct buffer *b, uint8_t byte);
MUST_USE enum err buffer_format(struct buffer *b, const char *format, ...) PRINTF(2, 3);
/* Room for `count` bytes at the end, to be filled by the caller and then owned with buffer_filled. NULL past the cap. */
uint8_t *buffer_reserve(struct buffer *b, size_t count);
void buffer_filled(struct buffer *b, size_t count);
void buffer_consume(struct buffer *b, size_t count);      /* drops from the front */
void buffer_cut(struct buffer *b, size_t len);            /* keeps the first `len` bytes */
void buffer_move(struct buffer *to, struct buffer *from); /* `to` takes the memory; `from` is empty afterwards */
static inline struct bytes buffer_bytes(const struct buffer *b)
{
	return (struct bytes){b->at, b->len};
}

#endif
