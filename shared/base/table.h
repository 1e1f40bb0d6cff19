/* Hash table from bytes or numbers to pointers, seeded per process.
 * Not owning of values; keys by bytes are copied. Not thread-safe.
 * table_free accepts NULL and leaves NULL; values are the caller's to end. */
#ifndef TABLE_H
#define TABLE_H

#include "bytes.h"

struct table;

struct table *table_new(void);
void table_free(struct table **table);
size_t table_count(const struct table *table);

void *table_find(const struct table *table, struct bytes key);       /* NULL when absent */
void *table_put(struct table *table, struct bytes key, void *value); /* the value replaced, or NULL; value must not be NULL */
void *table_remove(struct table *table, struct bytes key);           /* the value removed, or NULL */

void *table_find_number(const struct table *table, uint64_t key);
void *table_put_number(struct table *table, uint64_t key, void *value);
void *table_remove_number(struct table *table, uint64_t key);

/* Walks all entries in no order: start with *at = 0; false at the end. Removing the current entry inside the walk is legal, inserting is not. */
bool table_next(const struct table *table, size_t *at, struct bytes *key, void **value);
/* Key of an entry put by number. */
static inline uint64_t table_key_number(struct bytes key)
{
	uint64_t n;
	memcpy(&n, key.at, sizeof n);
	return n;
}

#define TABLE_EACH(table, key, value) for (size_t table_at_ = 0; table_next(table, &table_at_, &(key), (void **)&(value));)

#endif
