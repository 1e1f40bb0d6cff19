/* The tables of relays and regions, which belong to the installation: transactions of tailnet 0.
 * Not which relay is alive (a lease). What the relay map shows of them is read by census.h.
 * Functions with a struct tx add a statement and return its number; journal lines are added when the map changes. Rows read live in the caller's arena. */
#ifndef RELAYS_H
#define RELAYS_H

#include "derpmap.h"
#include "secret.h"
#include "tx.h"

struct relay {
	uint64_t id;
	unsigned region;
	struct relay_node node;             /* as the map shows it; name is unique in the installation, the rest comes from announcements */
	char prefix[SECRET_PREFIX_LEN + 1]; /* of its token */
	uint8_t hash[SECRET_HASH_LEN];
	struct bytes version;           /* of the program that announced last */
	struct wall created, last_seen; /* last_seen: last announcement; WALL_ZERO: never, and not in the map */
	struct wall revoked;            /* WALL_ZERO: its token is good, and it is in the map */
};

/* `nodes` is not looked at. Inserting an id again changes its code, name and place. */
unsigned regions_insert(struct tx *tx, const struct relay_region *region);
unsigned regions_list(struct tx *tx); /* by id */
size_t regions_read(struct tx *tx, unsigned statement, struct arena *arena, struct relay_region **out);

/* Takes region, node.name, prefix and hash; its row is the answer. ERR_NOT_FOUND: no such region. ERR_EXISTS: the name is taken. */
unsigned relays_insert(struct tx *tx, const struct relay *relay);
unsigned relays_page(struct tx *tx, uint64_t after, unsigned limit); /* by id, those behind `after` */
unsigned relays_delete(struct tx *tx, uint64_t id);                  /* ERR_NOT_FOUND */
size_t relays_read(struct tx *tx, unsigned statement, struct arena *arena, struct relay **out);

/* By its token's prefix (the caller compares the hash); relay is NULL when there is none. */
typedef void (*relay_fn)(void *context, enum err e, const struct relay *relay);
void relays_find(struct pg *pg, struct bytes prefix, struct arena *arena, relay_fn on_found, void *context);
/* The relay says how it is reached (relay->node without its name, and version): last_seen moves, and a journal line of tailnet 0 only when the map shows
 * something else now. tx_generation tells: 0 = nothing to ring for. ERR_NOT_FOUND: gone or revoked. */
unsigned relays_announce(struct tx *tx, const struct relay *relay);

#endif
