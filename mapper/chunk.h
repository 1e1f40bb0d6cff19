/* Rendered peers and profiles of a segment of 64 slots, encoded once and shared by every full map that shows just these: each entry ends in a comma.
 * Not whole messages (render.h). Re-made lazily, when somebody asks for a segment of which something moved.
 * The keeper owns the cache; a chunk handed out is borrowed until the next chunk_get. */
#ifndef CHUNK_H
#define CHUNK_H

#include "class.h"
#include "linkframe.h"

enum chunk_kind { CHUNK_PEERS, CHUNK_PROFILES };

struct chunk_key {
	enum chunk_kind kind;
	uint32_t segment;
	uint64_t mask;  /* slots of the segment that are shown */
	unsigned form;  /* nodejson_form; 0 for profiles */
	uint64_t shown; /* view_form; 0 for profiles */
	bool zstd;
	const struct view *view; /* by which it is made; not part of what is compared */
};

struct chunk {
	struct chunk *next;
	struct chunk_key key;
	uint64_t version; /* it is as of this version of the snapshot */
	struct body *body;
	uint8_t name[LINK_CHUNK_NAME_LEN]; /* hash of the body */
};

struct chunk_cache;

struct chunk_cache *chunk_cache_new(void);
void chunk_cache_free(struct chunk_cache **chunks);
/* NULL when there is nothing to show. */
const struct chunk *chunk_get(struct chunk_cache *chunks, const struct snapshot *s, struct chunk_key key);
void chunk_cache_forget(struct chunk_cache *chunks);       /* nobody has asked for a while */
size_t chunk_cache_size(const struct chunk_cache *chunks); /* bytes held, for metrics */
/* The same entries without a cache, for pieces of one viewer; the last one without a comma when `last`. Appends text, not encoded. */
MUST_USE enum err chunk_write(const struct snapshot *s, struct chunk_key key, bool last, struct buffer *out);

#endif
