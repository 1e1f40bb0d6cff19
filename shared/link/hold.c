#include "hold.h"

#include <stdlib.h>

static size_t count_pieces(struct bytes rest)
{
	struct link_piece piece;
	size_t count = 0;
	while (linkframe_piece(&rest, &piece))
		count++;
	return count;
}

static struct held_piece keep(const struct link_piece *piece, struct chunks *cache)
{
	struct held_piece held = {0};
	if (!piece->is_chunk) {
		held.body = body_new(piece->bytes);
		return held;
	}
	struct chunk_kept *chunk = chunks_find(cache, piece->name);
	memcpy(held.name, piece->name, sizeof(held.name));
	if (chunk)
		held.body = body_take(chunk->body);
	return held;
}

struct hold *hold_new(const struct linkframe *full, struct chunks *cache)
{
	size_t count = count_pieces(full->pieces);
	struct hold *h = x_zalloc(sizeof(*h) + count * sizeof(h->piece[0]));
	struct bytes rest = full->pieces;
	struct link_piece piece;
	h->version = full->version;
	while (linkframe_piece(&rest, &piece)) {
		h->piece[h->count] = keep(&piece, cache);
		if (!h->piece[h->count++].body)
			h->missing++;
	}
	return h;
}

void hold_free(struct hold **at)
{
	struct hold *h = *at;
	*at = NULL;
	if (!h)
		return;
	for (size_t i = 0; i < h->count; i++)
		body_drop(&h->piece[i].body);
	free(h);
}

bool hold_misses(const struct hold *h, const uint8_t name[static LINK_CHUNK_NAME_LEN])
{
	for (size_t i = 0; i < h->count; i++) {
		if (!h->piece[i].body && !memcmp(h->piece[i].name, name, LINK_CHUNK_NAME_LEN))
			return true;
	}
	return false;
}

bool hold_fill(struct hold *h, const uint8_t name[static LINK_CHUNK_NAME_LEN], struct body *body)
{
	for (size_t i = 0; i < h->count; i++) {
		if (h->piece[i].body || memcmp(h->piece[i].name, name, LINK_CHUNK_NAME_LEN) != 0)
			continue;
		h->piece[i].body = body_take(body);
		h->missing--;
	}
	return !h->missing;
}
