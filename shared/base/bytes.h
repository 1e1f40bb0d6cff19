/* A borrowed view of bytes: pointer and length, valid until the callee returns unless its header says more.
 * Not owning: struct buffer (buffer.h) owns. Text in it is not NUL-terminated.
 * Nobody frees a struct bytes. */
#ifndef BYTES_H
#define BYTES_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "mem.h"

struct bytes {
	const uint8_t *at;
	size_t len;
};

#define BYTES(literal) ((struct bytes){(const uint8_t *)(literal), sizeof(literal) - 1})
#define BYTES_NONE ((struct bytes){0})
/* For printf's "%.*s". */
#define BYTES_ARG(b) (int)(b).len, (const char *)(b).at

static inline struct bytes bytes_of(const void *at, size_t len)
{
	return (struct bytes){at, len};
}
static inline struct bytes bytes_text(const char *text)
{
	return (struct bytes){(const uint8_t *)text, text ? strlen(text) : 0};
}

bool bytes_equal(struct bytes a, struct bytes b);
bool bytes_equal_text(struct bytes a, const char *text);
bool bytes_equal_nocase(struct bytes a, const char *text); /* ASCII only */
int bytes_compare(struct bytes a, struct bytes b);
bool bytes_starts(struct bytes b, const char *prefix);
/* From `from` on; cut short at the end. */
struct bytes bytes_skip(struct bytes b, size_t from);
struct bytes bytes_take(struct bytes b, size_t count);
/* Splits at the first `separator`: the part before is returned, *rest becomes what follows (at == NULL when there was none). */
struct bytes bytes_split(struct bytes b, char separator, struct bytes *rest);
struct bytes bytes_trim(struct bytes b); /* ASCII space, tab, CR, LF */
bool bytes_is_utf8(struct bytes b);      /* strict: no overlong forms, no surrogates */
size_t bytes_utf8_len(struct bytes b);   /* bytes of the character at the start; 0 when there is no well-formed one */

/* Big and little endian, unaligned. */
static inline uint16_t get_be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}
static inline uint32_t get_be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}
static inline uint64_t get_be64(const uint8_t *p)
{
	return (uint64_t)get_be32(p) << 32 | get_be32(p + 4);
}
static inline void put_be16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8), p[1] = (uint8_t)v;
}
static inline void put_be32(uint8_t *p, uint32_t v)
{
	put_be16(p, (uint16_t)(v >> 16)), put_be16(p + 2, (uint16_t)v);
}
static inline void put_be64(uint8_t *p, uint64_t v)
{
	put_be32(p, (uint32_t)(v >> 32)), put_be32(p + 4, (uint32_t)v);
}
static inline void put_le32(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)v, p[1] = (uint8_t)(v >> 8), p[2] = (uint8_t)(v >> 16), p[3] = (uint8_t)(v >> 24);
}
static inline uint32_t get_le32(const uint8_t *p)
{
	return (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}

#endif
