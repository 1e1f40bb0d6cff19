/* The table of tailnets: SQL and row <-> struct tailnet, struct settings.
 * Not the checks of values (fleet/tailnet.h, settings.h, dns.h). Functions with a struct tx add statements and return the number of the one to read.
 * Rows read live in the caller's arena. `0:` wants a transaction of tailnet 0, the installation; `own:` one of the tailnet itself. */
#ifndef TAILNETS_H
#define TAILNETS_H

#include "settings.h"
#include "tailnet.h"
#include "tx.h"

/* 0: Id and creation are given by the database; an empty domain becomes NAME.<base domain>, ranges of family IP_NONE the whole of what clients know.
 * Frozen, suspended, limits, rates and login host are taken, the rest is the default. Read the row back with tailnets_read.
 * ERR_EXISTS: name, domain or login host is taken. */
unsigned tailnets_insert(struct tx *tx, const struct tailnet *tailnet);
unsigned tailnets_list(struct tx *tx, uint64_t after, unsigned limit); /* 0: those with greater ids, by id */
unsigned tailnets_find(struct tx *tx, struct bytes name);              /* 0: one row or none */
unsigned tailnets_get(struct tx *tx);                                  /* own: one row or none */
size_t tailnets_read(struct tx *tx, unsigned statement, struct arena *arena, struct tailnet **out);

/* The row of a tailnet as a whole, and a text that is another after every change of it. */
struct tailnets_whole {
	struct tailnet tailnet;
	struct settings settings;
	struct bytes version;
};
unsigned tailnets_find_whole(struct tx *tx, struct bytes name); /* 0: one row or none */
unsigned tailnets_get_whole(struct tx *tx);                     /* own: one row or none */
/* False: there was no row. */
bool tailnets_read_whole(struct tx *tx, unsigned statement, struct arena *arena, struct tailnets_whole *out);

/* own: Everything but id, ranges, domain and creation. A domain that was NAME.<base domain> follows the name. Nothing differs: no journal line.
 * Read the row with tailnets_read_whole. ERR_CONFLICT: it is not the version that was read. ERR_EXISTS: name, domain or login host is taken. */
unsigned tailnets_update(struct tx *tx, const struct tailnets_whole *whole);

/* own: Freezes and suspends it, and deletes its nodes with journal lines. */
void tailnets_clear(struct tx *tx);
/* 0: With everything that belongs to it. ERR_CONFLICT: not forced, and it has nodes (the sentence says how many). */
unsigned tailnets_delete(struct tx *tx, uint64_t tailnet, bool forced);
/* In its answer: the generation to ring that tailnet's bell with. */
uint64_t tailnets_read_bell(struct tx *tx, unsigned statement);

#endif
