#include "chunk.h"

#include <stdlib.h>

#include "mapframe.h"
#include "nodejson.h"
#include "secret.h"

enum { PER_SEGMENT = 32 }; /* most variants of a segment: a few views times forms times encodings */

struct chunk_cache {
	struct chunk **first; /* by segment, newest first */
	uint32_t count;
	size_t size;
	struct buffer text; /* scratch */
};

struct chunk_cache *chunk_cache_new(void)
{
	struct chunk_cache *c = x_zalloc(sizeof *c);
	buffer_init(&c->text, MAPFRAME_MAX);
	return c;
}

static void chunk_free(struct chunk_cache *c, struct chunk *chunk)
{
	c->size -= chunk->body->len + sizeof *chunk;
	body_drop(&chunk->body);
	free(chunk);
}

void chunk_cache_forget(struct chunk_cache *c)
{
	for (uint32_t i = 0; i < c->count; i++)
		while (c->first[i]) {
			struct chunk *chunk = c->first[i];
			c->first[i] = chunk->next;
			chunk_free(c, chunk);
		}
	buffer_clear(&c->text);
}

void chunk_cache_free(struct chunk_cache **chunks)
{
	if (!*chunks)
		return;
	chunk_cache_forget(*chunks);
	free((*chunks)->first);
	free(*chunks);
	*chunks = NULL;
}

size_t chunk_cache_size(const struct chunk_cache *c)
{
	return c->size;
}

/* Each owner once: by the first of its nodes in the segment. */
static bool is_first_of_owner(const struct snapshot *s, uint32_t first, uint64_t before, uint64_t owner)
{
	for (; before; before &= before - 1)
		if (node_wire_user(s->seats[first + (uint32_t)__builtin_ctzll(before)].node) == owner)
			return false;
	return true;
}

enum err chunk_write(const struct snapshot *s, struct chunk_key key, bool last, struct buffer *out)
{
	struct jsonw w;
	uint32_t first = key.segment * SEGMENT_SLOTS;
	bool wrote = false;
	jsonw_start(&w, out);
	for (uint64_t left = key.mask; left; left &= left - 1) {
		uint64_t lowest = left & -left;
		uint32_t slot = first + (uint32_t)__builtin_ctzll(left);
		uint64_t owner = node_wire_user(s->seats[slot].node);
		if (key.kind == CHUNK_PEERS)
			nodejson_peer(&w, NULL, s, key.view, slot, key.form);
		else if (is_first_of_owner(s, first, key.mask & (lowest - 1), owner))
			nodejson_profile(&w, s, owner);
		wrote = true;
	}
	enum err e = jsonw_end(&w);
	return e || last || !wrote ? e : buffer_add_byte(out, ',');
}

static bool is_current(const struct chunk *chunk, const struct snapshot *s)
{
	const struct segment *segment = &s->segments[chunk->key.segment];
	return chunk->version >= (chunk->key.kind == CHUNK_PEERS ? segment->peers : segment->profiles);
}

static bool key_equals(const struct chunk_key *a, const struct chunk_key *b)
{
	return a->kind == b->kind && a->segment == b->segment && a->mask == b->mask && a->form == b->form && a->shown == b->shown && a->zstd == b->zstd;
}

static void reach(struct chunk_cache *c, uint32_t segments)
{
	if (segments <= c->count)
		return;
	c->first = x_realloc(c->first, segments * sizeof(struct chunk *));
	memset(c->first + c->count, 0, (segments - c->count) * sizeof(struct chunk *));
	c->count = segments;
}

static struct body *encode(struct chunk_cache *c, const struct snapshot *s, struct chunk_key key)
{
	struct buffer packed;
	struct body *body = NULL;
	buffer_reset(&c->text);
	buffer_init(&packed, MAPFRAME_MAX);
	if (chunk_write(s, key, false, &c->text))
		return NULL;
	if (!key.zstd)
		body = body_new(buffer_bytes(&c->text));
	else if (!mapframe_compress(buffer_bytes(&c->text), &packed))
		body = body_new(buffer_bytes(&packed));
	buffer_clear(&packed);
	return body;
}

/* What is stale goes when its segment is asked for, and what is too much. */
static struct chunk *tidy_and_find(struct chunk_cache *c, const struct snapshot *s, struct chunk_key key)
{
	struct chunk *found = NULL;
	unsigned kept = 0;
	for (struct chunk **at = &c->first[key.segment]; *at;) {
		struct chunk *chunk = *at;
		if (is_current(chunk, s) && kept < PER_SEGMENT) {
			kept++;
			if (key_equals(&chunk->key, &key))
				found = chunk;
			at = &chunk->next;
		} else {
			*at = chunk->next;
			chunk_free(c, chunk);
		}
	}
	return found;
}

const struct chunk *chunk_get(struct chunk_cache *c, const struct snapshot *s, struct chunk_key key)
{
	if (!key.mask)
		return NULL;
	reach(c, snapshot_segments(s));
	struct chunk *chunk = tidy_and_find(c, s, key);
	if (chunk)
		return chunk;
	struct body *body = encode(c, s, key);
	if (!body)
		return NULL;
	uint8_t hash[32];
	chunk = x_zalloc(sizeof *chunk);
	chunk->key = key;
	chunk->key.view = NULL;
	chunk->version = s->version;
	chunk->body = body;
	hash_bytes(body_bytes(body), hash);
	memcpy(chunk->name, hash, sizeof chunk->name);
	chunk->next = c->first[key.segment];
	c->first[key.segment] = chunk;
	c->size += body->len + sizeof *chunk;
	return chunk;
}
