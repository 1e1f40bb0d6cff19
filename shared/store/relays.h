/* The tables of relays, their tokens and their regions, which belong to the installation: transactions of tailnet 0.
 * Not which relay is alive (a lease). What the relay map shows of them is read by census.h; when it shows what is relays_step's.
 * Functions with a struct tx add a statement and return its number; journal lines are added when the map changes. Rows read live in the caller's arena. */
#ifndef RELAYS_H
#define RELAYS_H

#include "derpmap.h"
#include "secret.h"
#include "tx.h"

struct relay {
	uint64_t id;
	unsigned region;
	struct relay_node node;         /* as the map shows it; name is unique in the installation, the rest comes from announcements */
	struct bytes version;           /* of the program that announced last */
	struct bytes instance;          /* random, of the process that announces; not read */
	struct wall created, last_seen; /* last_seen: last announcement, to the half minute; WALL_ZERO: never */
	bool by_hand;                   /* a foreign one, which never announces itself */
	bool mesh;                      /* a member of its region's mesh */
	bool drain;                     /* the wish */
	bool draining;                  /* it said that it is about to end */
	bool shown;                     /* in the map */
	bool revoked;                   /* so is the token that it announced itself with */
	struct wall silent_since, deleted;
};

struct relay_token {
	uint64_t id;
	unsigned region;
	uint64_t relay; /* 0: for any relay of the region */
	bool by_hand;   /* of a foreign one: for questions about keys alone */
	char prefix[SECRET_PREFIX_LEN + 1];
	uint8_t hash[SECRET_HASH_LEN];
	struct bytes description;
	struct wall created, revoked; /* WALL_ZERO: it is good */
};

struct region {
	struct relay_region map; /* `nodes` is not looked at */
	struct bytes *tailnets;  /* by name: whose maps show it; none: all */
	size_t tailnet_count;
	uint64_t client_rate, client_burst;   /* bytes a second and bytes at once of one client; 0: no limit */
	uint64_t tailnet_rate, tailnet_burst; /* so, of all clients of one tailnet through one relay */
	unsigned stage;                       /* how far it has left the map: 0 not, 1 scored away, 2 nobody's home */
	unsigned relay_count, shown_count;
	struct wall rotated; /* of the mesh key */
};

/* --- regions ------------------------------------------------------------------------------------------------------------------------------------------- */

/* Only if it is not there: id, code, name, place. */
unsigned regions_insert(struct tx *tx, const struct relay_region *region);
/* What an administrator changes: texts whose `at` is NULL, numbers that are NAN, and what is not `set_` stay as they are. */
struct region_change {
	unsigned id;
	struct bytes code, name;
	double latitude, longitude, score;
	bool set_no_measure, no_measure_no_home, set_tailnets, set_rate, set_burst, set_tailnet_rate, set_tailnet_burst;
	const struct bytes *tailnets;
	size_t tailnet_count;
	uint64_t client_rate, client_burst, tailnet_rate, tailnet_burst;
};
/* ERR_EXISTS: there is one of that number. ERR_NOT_FOUND: no tailnet of such a name. */
unsigned regions_create(struct tx *tx, const struct region_change *change);
unsigned regions_update(struct tx *tx, const struct region_change *change); /* ERR_NOT_FOUND */
unsigned regions_delete(struct tx *tx, unsigned id);                        /* ERR_NOT_FOUND, ERR_CONFLICT: it has relays */
unsigned regions_list(struct tx *tx);                                       /* by id */
unsigned regions_get(struct tx *tx, unsigned id);
size_t regions_read(struct tx *tx, unsigned statement, struct arena *arena, struct region **out);
/* key == NULL: a random one. The one before stays good for overlap_ms. */
unsigned regions_rotate(struct tx *tx, unsigned id, const uint8_t *key, int64_t overlap_ms);
/* In hex; "" when there is none. */
struct region_keys {
	struct bytes key, before;
};
unsigned regions_keys(struct tx *tx, unsigned id);
bool regions_read_keys(struct tx *tx, unsigned statement, struct arena *arena, struct region_keys *out);

/* --- relays -------------------------------------------------------------------------------------------------------------------------------------------- */

/* Takes region, by_hand, mesh, node (all of it only when by_hand), and a first token of its own; its row is the answer. ERR_NOT_FOUND: no such region.
 * ERR_EXISTS: the name is taken. */
unsigned relays_insert(struct tx *tx, const struct relay *relay, const struct secret *token);
unsigned relays_page(struct tx *tx, uint64_t after, unsigned limit); /* by id, those behind `after` */
/* By id, the sources of the pairs that relayprobes_page() gives by the same numbers. */
unsigned relays_of_probes(struct tx *tx, uint64_t from, uint64_t to, unsigned limit);
unsigned relays_wish(struct tx *tx, uint64_t id, bool drain); /* ERR_NOT_FOUND */
unsigned relays_remove(struct tx *tx, uint64_t id);           /* in order, or at once when asked again; ERR_NOT_FOUND */
size_t relays_read(struct tx *tx, unsigned statement, struct arena *arena, struct relay **out);

/* --- tokens -------------------------------------------------------------------------------------------------------------------------------------------- */

/* region, relay and description are taken; for a relay its region. ERR_NOT_FOUND: no such relay or region. */
unsigned relay_tokens_insert(struct tx *tx, const struct relay_token *token, const struct secret *secret);
unsigned relay_tokens_page(struct tx *tx, uint64_t after, unsigned limit);
unsigned relay_tokens_revoke(struct tx *tx, uint64_t id); /* ERR_NOT_FOUND */
size_t relay_tokens_read(struct tx *tx, unsigned statement, struct arena *arena, struct relay_token **out);
/* By prefix (the caller compares the hash); NULL when there is none. */
typedef void (*relay_token_fn)(void *context, enum err e, const struct relay_token *token);
void relay_tokens_find(struct pg *pg, struct bytes prefix, struct arena *arena, relay_token_fn on_found, void *context);

/* --- announcements ------------------------------------------------------------------------------------------------------------------------------------- */

/* The relay says how it is reached (node, version, draining): its row moves when something differs, and a journal line is added when the map does.
 * Answer: its id. ERR_NOT_FOUND: gone or revoked. ERR_DENIED: its name is not one for this token,
 * or another process has it and lives. */
unsigned relays_announce(struct tx *tx, const struct relay_token *token, const struct relay *said);
/* One row: what a relay is told. `name` as it said it. */
struct relay_told {
	uint64_t id;
	struct relay_region region; /* id, code, name */
	struct bytes name;
	bool drain, shown;
	bool mesh;      /* a member: the mesh key and who else is one are for it alone */
	bool held_back; /* it changes too often: the map shows what it said of itself before */
	unsigned stage;
	bool siblings_serve, others_serve; /* somebody else would take its clients: in its region, in another one */
	uint64_t client_rate, client_burst, tailnet_rate, tailnet_burst;
};
unsigned relays_told(struct tx *tx, const struct relay_token *token, struct bytes name);
bool relays_read_told(struct tx *tx, unsigned statement, struct arena *arena, struct relay_told *out);
/* Those of its mesh that are in life, itself too; left out: those without a lease for a day. A region holds no more announced relays than RELAYS_OF_REGION_MAX. */
enum { RELAYS_OF_REGION_MAX = 256 };
unsigned relays_siblings(struct tx *tx, unsigned region);
/* Those that relays of this region shall probe, one more than RELAY_PEERS_MAX and the one that asks: behind `after`, then from the beginning. Left out: those of
 * regions that no tailnet has in its map beside this one, those that drain or are removed or revoked, and those without a lease for a day. */
enum { RELAY_PEERS_MAX = 128 };
unsigned relays_peers(struct tx *tx, unsigned region, uint64_t after);
/* Keys about which relays of a region shall ask again, of tailnets that it admits or is closed to now, from `known` on (0: none, only where it stands). */
unsigned relay_rechecks(struct tx *tx, unsigned region, uint64_t known);
enum { RELAY_RECHECKS_MAX = 1000 };
/* `keys`: hex. False: there are more than RELAY_RECHECKS_MAX. */
bool relay_rechecks_read(struct tx *tx, unsigned statement, struct arena *arena, uint64_t *stands, struct bytes **keys, size_t *count);

/* May the key use relays of the region? If so: of which tailnet it is, and what that tailnet's clients together may send if it has a rate of its own. */
struct relay_standing {
	bool allowed;
	uint64_t tailnet, rate, burst;
};
typedef void (*relay_verdict_fn)(void *context, enum err e, const struct relay_standing *standing);
void relays_verify(struct pg *pg, const struct node_key *key, unsigned region, relay_verdict_fn on_verified, void *context);

/* --- the map ------------------------------------------------------------------------------------------------------------------------------------------- */

struct relays_patience {
	int64_t settle_ms, patience_ms, dead_ms, steady_ms;
};
/* Moves the map one step. heard: relays with a lease; homes: of how many clients each is the home. certain: leases could be read. */
unsigned relays_step(struct tx *tx, const uint64_t *heard, const uint64_t *homes, size_t count, bool certain, const struct relays_patience *patience);

#endif
