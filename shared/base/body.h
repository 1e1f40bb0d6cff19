/* Shared, immutable bytes with a reference count: rendered once, sent on many streams.
 * Not thread-safe: a body lives on one loop. Crossing threads means a copy.
 * Whoever holds a reference ends it by body_drop; the last one frees. */
#ifndef BODY_H
#define BODY_H

#include "bytes.h"

struct body {
	unsigned refs;
	size_t len;
	uint8_t at[];
};

struct body *body_new(struct bytes content); /* copies; one reference, the caller's */
struct body *body_room(size_t len);          /* to be filled by the caller before it is shared */
static inline struct body *body_take(struct body *b)
{
	b->refs++;
	return b;
}
void body_drop(struct body **b); /* accepts NULL, leaves NULL */
static inline struct bytes body_bytes(const struct body *b)
{
	return (struct bytes){b->at, b->len};
}

#endif
