/* Heap memory that is there or ends the process: callers never check for NULL.
 * Not a pool: see arena.h for memory with one lifetime.
 * What x_alloc and its kin return is owned by the caller and ended by free(). */
#ifndef MEM_H
#define MEM_H

#include <stddef.h>

#define MUST_USE __attribute__((warn_unused_result))
#define PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
/* The struct that embeds `member`, from a pointer to that member. */
#define OWNER_OF(pointer, type, member) ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

void *x_alloc(size_t size);  /* uninitialised; size 0 is legal */
void *x_zalloc(size_t size); /* zeroed */
void *x_realloc(void *old, size_t size);
void *x_dup(const void *at, size_t size);
char *x_strdup(const char *text);

#endif
