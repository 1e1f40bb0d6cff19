/* The table of interactive logins: SQL and row <-> struct login.
 * Not who may answer (fleet/admission.h) and not the requests that wait (coordinator/serve_login.h).
 * Functions with a struct tx add statements for the transaction's tailnet; asynchronous ones answer exactly once, never before they returned. */
#ifndef LOGINS_H
#define LOGINS_H

#include "login.h"
#include "loginid.h"
#include "nodes.h"

/* --- before the tailnet is known ------------------------------------------------------------------------------------------------------------- */

/* `login` as the request told it (id, tailnet, times and answer are not looked at). host: of the login server, lower-case, without port: a tailnet whose login host it
 * is alone may answer. ERR_EXHAUSTED: `most` logins wait in the installation. ERR_DENIED with a sentence: that tailnet is frozen or suspended. */
typedef void (*logins_begun_fn)(void *context, enum err e, const struct diag *why);
void logins_begin(struct pg *pg, const struct login_id *id, const struct login *login, struct bytes host, int64_t lifetime_ms, unsigned most,
		  logins_begun_fn on_begun, void *context);

/* By the hash of its id. login NULL: there is none (any more). */
struct logins_found {
	struct login *login;
	int64_t left_ms;     /* until it ends; not above 0: it has */
	struct bytes renews; /* label of the node under the old node key, or empty */
};
typedef void (*logins_found_fn)(void *context, enum err e, const struct logins_found *found);
void logins_find(struct pg *pg, const uint8_t hash[static LOGIN_HASH_LEN], struct arena *arena, logins_found_fn on_found, void *context);

/* --- answering: one of these per transaction; the first of several transactions wins ------------------------------------------------------------ */

/* Each: ERR_NOT_FOUND for a login that is unknown, has ended or belongs to another tailnet, ERR_CONFLICT for one that was answered. */
/* The login becomes a new node of enrollment->user, or with its tags (no key). Its row is the answer, for nodes_read. Refuses as nodes_enroll does; ERR_CONFLICT also when
 * the machine has a node of that user, or one with tags, by now. */
unsigned logins_enroll(struct tx *tx, const uint8_t hash[static LOGIN_HASH_LEN], const struct enrollment *enrollment);
/* The login becomes `node`; with nodes_rekey in the same transaction. */
void logins_take(struct tx *tx, const uint8_t hash[static LOGIN_HASH_LEN], uint64_t node);
void logins_refuse(struct tx *tx, const uint8_t hash[static LOGIN_HASH_LEN], struct bytes reason);

/* A login of this tailnet alone that no machine began. ERR_NOT_FOUND: no user of that name. ERR_EXISTS: the id is known.
 * ERR_EXHAUSTED: many wait already; they take room from those of all tailnets. */
void logins_make_up(struct tx *tx, const struct login_id *id, const struct login *login, struct bytes user, int64_t lifetime_ms);

/* --- reading ---------------------------------------------------------------------------------------------------------------------------------- */

unsigned logins_page(struct tx *tx, uint64_t after, unsigned limit); /* those that wait for this tailnet alone, by id, behind `after` */
size_t logins_read(struct tx *tx, unsigned statement, struct arena *arena, struct login **out);

#endif
