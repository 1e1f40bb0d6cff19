/* Chunks of full maps by name, least recently used go first; what both ends of the link keep.
 * Not the protocol (dial.c, gate.c) and no judge of names: equal name means equal bytes.
 * Holds one reference of each body. */
#ifndef CHUNKS_H
#define CHUNKS_H

#include "bitset.h"
#include "body.h"
#include "linkframe.h"
#include "list.h"

enum { LINK_CHUNKS_CAP = 64 << 20 }; /* bytes: six tailnets of 50,000 peers */

struct chunk_kept {
	struct list link;
	uint8_t name[LINK_CHUNK_NAME_LEN];
	struct body *body;
	struct bitset told; /* gate: slots of the peers that have it */
};

struct chunks;

struct chunks *chunks_new(size_t cap);
void chunks_free(struct chunks **chunks);
size_t chunks_bytes(const struct chunks *chunks);
/* NULL when absent; found is used. */
struct chunk_kept *chunks_find(struct chunks *chunks, const uint8_t name[static LINK_CHUNK_NAME_LEN]);
/* Takes a reference of `body` if the name is new. Past the cap until chunks_trim. */
struct chunk_kept *chunks_put(struct chunks *chunks, const uint8_t name[static LINK_CHUNK_NAME_LEN], struct body *body);
void chunks_remove(struct chunks *chunks, const uint8_t name[static LINK_CHUNK_NAME_LEN]);
/* Back under the cap. on_gone may be NULL. */
void chunks_trim(struct chunks *chunks, void (*on_gone)(void *context, const struct chunk_kept *chunk), void *context);
/* No chunk is told to this slot any more. */
void chunks_untell(struct chunks *chunks, size_t slot);

#endif
