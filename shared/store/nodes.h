/* The table of nodes: SQL and row <-> struct node.
 * Not who gets in (fleet/admission.h) and not who is online (a lease: bus/presence.h).
 * Functions with a struct tx add a statement for the transaction's tailnet, and its journal lines; they return its number, for nodes_read where they say so.
 * Rows read live in the caller's arena. Asynchronous functions answer exactly once, never before they returned. */
#ifndef NODES_H
#define NODES_H

#include "admission.h"
#include "tx.h"
#include "user.h"

/* --- before the tailnet is known ------------------------------------------------------------------------------------------------------------- */

/* What registering asks; secret NULL: no well-formed auth key was presented. */
struct nodes_question {
	struct machine_key machine_key;
	struct node_key node_key, old_node_key; /* old: zero when none */
	const struct secret *secret;
	bool asks_tags; /* known.tagged is wanted */
};

/* A node with its owner and tailnet. user is NULL for a tagged node. */
struct nodes_place {
	struct node *node;
	struct user *user;
	struct tailnet *tailnet;
};

struct nodes_known {
	struct known known;                                   /* ready for admission_decide */
	struct nodes_place by_node_key, by_old_key, by_owner; /* the same nodes with owner and tailnet; node NULL where absent */
	struct user *key_user;                                /* owner of known.authkey, or NULL */
	struct tailnet *key_tailnet;                          /* tailnet of known.authkey, or NULL */
	uint64_t policy;                                      /* version in force in the key's tailnet; 0: none, or no key */
	int64_t lifetime_ms;                                  /* for admission_decide: of the key's tailnet, else of the node's; 0 = never */
};
typedef void (*nodes_known_fn)(void *context, enum err e, const struct nodes_known *known);
void nodes_find_for_register(struct pg *pg, const struct nodes_question *question, struct arena *arena, nodes_known_fn on_known, void *context);

/* The node of a node key, whatever machine asks: compare machine keys. place->node is NULL when there is none. with_epoch: also draw a number for the report that
 * follows (node_report.epoch), greater than all drawn before; else epoch is 0. */
typedef void (*nodes_place_fn)(void *context, enum err e, const struct nodes_place *place, uint64_t epoch);
void nodes_find(struct pg *pg, const struct node_key *key, bool with_epoch, struct arena *arena, nodes_place_fn on_found, void *context);

/* --- joining --------------------------------------------------------------------------------------------------------------------------------- */

struct enrollment {
	uint64_t user; /* 0 when tags are given */
	const struct bytes *tags;
	size_t tag_count;
	struct machine_key machine_key;
	struct node_key node_key;
	struct lock_key lock_key;
	struct bytes label; /* base, by hostname_label; the node gets it, or base-1, base-2 ... */
	struct bytes hostinfo;
	unsigned capver;
	unsigned register_method;
	const struct prefix *routes; /* advertised */
	size_t route_count;
	struct wall expiry;
	uint64_t authkey;           /* 0: none */
	const struct prefix *pools; /* where a new node's IPv4 address comes from, first those first; none: the whole range */
	size_t pool_count;
	bool ephemeral, approved;
	bool consume_key; /* one-shot: fails as a whole with ERR_EXHAUSTED when somebody was quicker or it was revoked meanwhile */
	bool counted_key; /* good for so many: its row moves with each machine */
};

/* `node` is the row as it stands now; borrowed until the answer returns, NULL unless e is ERR_NONE. generation: to ring for. why: a sentence. */
typedef void (*nodes_changed_fn)(void *context, enum err e, const struct node *node, uint64_t generation, const struct diag *why);
/* A transaction of its own, shared with others of the same tailnet that come at the same time; each fails alone. `enrollment` is copied.
 * ERR_EXISTS: the node key is in use. ERR_EXHAUSTED: the address range or the pools are full, or the key was used up. ERR_NOT_FOUND: tailnet, user or key went meanwhile. */
void nodes_enroll(struct pg *pg, uint64_t tailnet, const struct enrollment *enrollment, nodes_changed_fn on_done, void *context);

/* A known node takes a new node key, and owner, expiry, key from `enrollment`; id, addresses, label, approval, routes approved stay.
 * `was`: the node key it must still have, else ERR_CONFLICT. Its first map counts as not sent. machine_key must be the node's. label, routes, approved are not looked at. */
unsigned nodes_rekey(struct tx *tx, uint64_t node, const struct node_key *was, const struct enrollment *enrollment);

/* --- one node, hard: each ERR_NOT_FOUND when it is gone ---------------------------------------------------------------------------------------- */

unsigned nodes_set_expiry(struct tx *tx, uint64_t node, struct wall expiry); /* WALL_ZERO: never. Renewal, expire, logout, expire sooner */
unsigned nodes_delete(struct tx *tx, uint64_t node);
unsigned nodes_rename(struct tx *tx, uint64_t node, struct bytes label); /* an administrator's choice, stays. ERR_EXISTS */
unsigned
nodes_relabel(struct tx *tx, uint64_t node,
	      struct bytes base); /* the host name changed: nothing when an administrator chose, or when it has that base already; takes the tailnet's lock */
unsigned nodes_tag(struct tx *tx, uint64_t node, const struct bytes *tags, size_t count); /* loses its user and its expiry; count >= 1 */
/* Its own tags own these: while it has those of `was` and has not expired, else ERR_CONFLICT. Nothing else changes. */
unsigned nodes_retag(struct tx *tx, const struct node *was, const struct bytes *tags, size_t count);
unsigned nodes_approve_routes(struct tx *tx, uint64_t node, const struct prefix *routes, size_t count); /* replaces */
/* Approves these besides, as far as the node still advertises them; soft: a node that is gone is passed over. Nothing differs: no journal line. */
unsigned nodes_add_routes(struct tx *tx, uint64_t node, const struct prefix *routes, size_t count);
unsigned nodes_approve(struct tx *tx, uint64_t node, bool approved);

/* --- many nodes, soft: those that are gone are passed over --------------------------------------------------------------------------------------- */

/* A lite update. What is not present stays as it is. */
struct node_report {
	uint64_t node;
	uint64_t epoch;             /* drawn by nodes_find; a report older than what stands is passed over */
	unsigned capver;            /* 0: stays */
	struct disco_key disco_key; /* zero: stays */
	struct bytes hostinfo;      /* at NULL: stays */
	bool has_endpoints;
	const struct endpoint *endpoints;
	size_t endpoint_count;
	unsigned home_relay; /* 0: stays */
	bool has_routes;
	const struct prefix *routes; /* advertised */
	size_t route_count;
	struct wall at; /* last seen */
};
/* One statement for all; the journal tells only what differs. A node at most once per call. tx_rows counts those that stood; tx_generation is 0 when nothing differed. */
unsigned nodes_report_add(struct tx *tx, const struct node_report *reports, size_t count);
/* last_seen moves forward to `at`. told: others hear of it (a farewell); false: only the row (still here). */
unsigned nodes_seen(struct tx *tx, const uint64_t *nodes, size_t count, struct wall at, bool told);
unsigned nodes_polled(struct tx *tx, const uint64_t *nodes, size_t count, struct wall at); /* first_polled, where it is not set; no journal line */

/* --- reading ---------------------------------------------------------------------------------------------------------------------------------- */

unsigned nodes_list(struct tx *tx, uint64_t user);                                            /* by id; 0: all */
unsigned nodes_page(struct tx *tx, uint64_t after, unsigned limit);                           /* by id, those behind `after` */
unsigned nodes_of_machine(struct tx *tx, const struct machine_key *machine);                  /* by id */
unsigned nodes_get(struct tx *tx, uint64_t node);                                             /* one row or none */
unsigned nodes_advertising(struct tx *tx, const uint64_t *nodes, size_t count);               /* those of them with a route that nobody approved, by id */
unsigned nodes_some(struct tx *tx, const uint64_t *nodes, size_t count);                      /* by id */
unsigned nodes_tagged(struct tx *tx, const struct bytes *tags, size_t count, unsigned limit); /* with any of those tags, by id */
size_t nodes_read(struct tx *tx, unsigned statement, struct arena *arena, struct node **out);

/* --- what time does (sweep) -------------------------------------------------------------------------------------------------------------------- */

struct nodes_due {
	uint64_t tailnet, node;
	struct wall last_seen;
};
typedef void (*nodes_due_fn)(void *context, enum err e, const struct nodes_due *due, size_t count); /* by tailnet; borrowed until the answer returns */
/* What asks `sql` of a time and a limit. */
void nodes_find_due(struct pg *pg, const char *sql, struct wall time, unsigned limit, nodes_due_fn on_found, void *context);
/* Nodes whose expiry passed and was not told yet; over all tailnets, at most `limit`. */
void nodes_find_expired(struct pg *pg, struct wall now, unsigned limit, nodes_due_fn on_found, void *context);
/* Marks as told, with a journal line each, those of `nodes` whose expiry has passed by `now` and was not told. */
unsigned nodes_tell_expired(struct tx *tx, const uint64_t *nodes, size_t count, struct wall now);
/* Ephemeral nodes not seen since `before`; over all tailnets. Ask presence before deleting. */
void nodes_find_silent(struct pg *pg, struct wall before, unsigned limit, nodes_due_fn on_found, void *context);
/* Deletes those that are still ephemeral and still not seen since `before`; the others are passed over. */
unsigned nodes_delete_silent(struct tx *tx, const uint64_t *nodes, size_t count, struct wall before);

#endif
