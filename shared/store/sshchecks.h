/* The tables of checks of SSH rules and of remembered sign-ins: SQL and row <-> struct sshcheck.
 * Not what is answered (fleet/sshcheck.h) and not the requests that wait (coordinator/serve_sshaction.h).
 * Functions with a struct tx add statements for the transaction's tailnet; asynchronous ones answer exactly once, never before they returned. */
#ifndef SSHCHECKS_H
#define SSHCHECKS_H

#include "loginid.h"
#include "sshcheck.h"
#include "tx.h"

struct sshchecks_found {
	struct sshcheck check;
	int64_t left_ms;                  /* until it ends, answered: until the answer counts no more; not above 0: it has */
	struct bytes source, destination; /* labels */
	struct bytes owner;               /* the source's user, or its tags */
	struct bytes network;             /* the tailnet's name for people; sshchecks_find only */
};

/* --- before the tailnet is known --------------------------------------------------------------------------------------------------------------- */

/* The tailnet of this machine's node, when node and tailnet are in good standing; 0: otherwise. */
typedef void (*sshchecks_destination_fn)(void *context, enum err e, uint64_t tailnet);
void sshchecks_destination(struct pg *pg, uint64_t node, const struct machine_key *machine, sshchecks_destination_fn on_found, void *context);

/* By the hash of its id. NULL: there is none (any more). */
typedef void (*sshchecks_found_fn)(void *context, enum err e, const struct sshchecks_found *found);
void sshchecks_find(struct pg *pg, const uint8_t hash[static LOGIN_HASH_LEN], struct arena *arena, sshchecks_found_fn on_found, void *context);

/* --- in a tailnet -------------------------------------------------------------------------------------------------------------------------------- */

struct sshchecks_caps {
	unsigned pair, destination, tailnet; /* that wait at once */
};

/* ERR_NOT_FOUND: a node is gone. ERR_EXHAUSTED with a sentence: as many as the caps say wait already. */
void sshchecks_begin(struct tx *tx, const struct login_id *id, const struct sshcheck_login *login, int64_t lifetime_ms, struct sshchecks_caps caps);
/* The first of several answers wins; reason empty: it is approved, and the sign-in remembered. ERR_NOT_FOUND: unknown, or it has ended; ERR_CONFLICT. */
unsigned sshchecks_answer(struct tx *tx, const uint8_t hash[static LOGIN_HASH_LEN], struct bytes reason);
/* In its answer: whose requests look again; their count, each of LOGIN_HASH_LEN bytes. */
size_t sshchecks_read_answer(struct tx *tx, unsigned statement, struct arena *arena, const uint8_t (**hashes)[LOGIN_HASH_LEN]);

unsigned sshchecks_get(struct tx *tx, const uint8_t hash[static LOGIN_HASH_LEN]); /* one row or none */
unsigned sshchecks_page(struct tx *tx, uint64_t after, unsigned limit);           /* those that wait, by id, behind `after` */
size_t sshchecks_read(struct tx *tx, unsigned statement, struct arena *arena, struct sshchecks_found **out);

/* How long ago somebody signed in at the node, for whoever has it now; read with sshchecks_read_signin: below 0: nobody did. */
unsigned sshchecks_signin(struct tx *tx, uint64_t node);
int64_t sshchecks_read_signin(const struct tx *tx, unsigned statement);

/* Both, of one that waits; found NULL: there is none (any more). */
typedef void (*sshchecks_looked_fn)(void *context, enum err e, const struct sshchecks_found *found, int64_t signin_age_ms);
void sshchecks_look(struct pg *pg, uint64_t tailnet, const uint8_t hash[static LOGIN_HASH_LEN], uint64_t node, struct arena *arena,
		    sshchecks_looked_fn on_looked, void *context);

#endif
