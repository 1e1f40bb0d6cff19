/* Memory with one lifetime: allocate many, free once.
 * Not thread-safe, and nothing in it is freed alone.
 * A request, a login, a compile owns an arena; what lives in it needs no cleanup code. */
#ifndef ARENA_H
#define ARENA_H

#include <stdarg.h>

#include "bytes.h"

struct arena;

struct arena *arena_new(void);
void arena_free(struct arena **arena);                        /* accepts NULL, leaves NULL */
void arena_reset(struct arena *arena);                        /* everything in it ends; the first block is kept */
void *arena_alloc(struct arena *arena, size_t size);          /* zeroed, aligned for any type */
struct bytes arena_copy(struct arena *arena, struct bytes b); /* the copy has a NUL behind its end */
char *arena_text(struct arena *arena, struct bytes b);        /* NUL-terminated copy */
char *arena_format(struct arena *arena, const char *format, ...) PRINTF(2, 3);
size_t arena_size(const struct arena *arena); /* bytes held from the system */

#define ARENA_NEW(arena, type) ((type *)arena_alloc(arena, sizeof(type)))
#define ARENA_ARRAY(arena, type, count) ((type *)arena_alloc(arena, sizeof(type) * (count)))

#endif
