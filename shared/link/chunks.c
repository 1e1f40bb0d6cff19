#include "chunks.h"

#include <stdlib.h>

#include "table.h"

/* What an entry costs beside its bytes, so that many tiny chunks are bounded too. */
enum { ENTRY_COST = sizeof(struct chunk_kept) + 64 };

struct chunks {
	struct table *by_name;
	struct list used; /* least recently used first */
	size_t bytes, cap;
};

struct chunks *chunks_new(size_t cap)
{
	struct chunks *c = x_alloc(sizeof(*c));
	*c = (struct chunks){.by_name = table_new(), .cap = cap};
	list_init(&c->used);
	return c;
}

static void drop(struct chunks *c, struct chunk_kept *k)
{
	table_remove(c->by_name, bytes_of(k->name, sizeof(k->name)));
	list_remove(&k->link);
	c->bytes -= k->body->len + ENTRY_COST;
	body_drop(&k->body);
	bitset_clear(&k->told);
	free(k);
}

void chunks_free(struct chunks **at)
{
	struct chunks *c = *at;
	*at = NULL;
	if (!c)
		return;
	struct chunk_kept *k;
	while ((k = LIST_FIRST(&c->used, struct chunk_kept, link)))
		drop(c, k);
	table_free(&c->by_name);
	free(c);
}

size_t chunks_bytes(const struct chunks *c)
{
	return c->bytes;
}

struct chunk_kept *chunks_find(struct chunks *c, const uint8_t name[static LINK_CHUNK_NAME_LEN])
{
	struct chunk_kept *k = table_find(c->by_name, bytes_of(name, LINK_CHUNK_NAME_LEN));
	if (k) {
		list_remove(&k->link);
		list_append(&c->used, &k->link);
	}
	return k;
}

struct chunk_kept *chunks_put(struct chunks *c, const uint8_t name[static LINK_CHUNK_NAME_LEN], struct body *body)
{
	struct chunk_kept *k = chunks_find(c, name);
	if (k)
		return k;
	k = x_zalloc(sizeof(*k));
	memcpy(k->name, name, LINK_CHUNK_NAME_LEN);
	k->body = body_take(body);
	bitset_init(&k->told);
	list_append(&c->used, &k->link);
	table_put(c->by_name, bytes_of(k->name, sizeof(k->name)), k);
	c->bytes += body->len + ENTRY_COST;
	return k;
}

void chunks_remove(struct chunks *c, const uint8_t name[static LINK_CHUNK_NAME_LEN])
{
	struct chunk_kept *k = table_find(c->by_name, bytes_of(name, LINK_CHUNK_NAME_LEN));
	if (k)
		drop(c, k);
}

void chunks_trim(struct chunks *c, void (*on_gone)(void *context, const struct chunk_kept *chunk), void *context)
{
	while (c->bytes > c->cap && !list_empty(&c->used)) {
		struct chunk_kept *k = LIST_FIRST(&c->used, struct chunk_kept, link);
		if (on_gone)
			on_gone(context, k);
		drop(c, k);
	}
}

void chunks_untell(struct chunks *c, size_t slot)
{
	LIST_EACH(&c->used, k, struct chunk_kept, link)
		bitset_remove(&k->told, slot);
}
