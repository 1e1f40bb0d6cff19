/* The table of API keys: a tailnet's (seen in a transaction of that tailnet) and the operator's (tailnet 0).
 * Not what a key may do (coordinator/admin/guard.h) and not the secret: prefix and hash only.
 * Functions with a struct tx add a statement and return its number. Rows read live in the caller's arena. */
#ifndef APIKEYS_H
#define APIKEYS_H

#include "secret.h"
#include "tx.h"

struct apikey {
	uint64_t id, tailnet; /* 0: the operator's */
	char prefix[SECRET_PREFIX_LEN + 1];
	uint8_t hash[SECRET_HASH_LEN];
	struct bytes description;
	struct bytes *scopes; /* what it may do (coordinator/admin/scope.h) */
	size_t scope_count;
	struct wall created, expiry; /* expiry WALL_ZERO: never */
	struct wall revoked;         /* WALL_ZERO: still good */
	struct wall last_used;       /* to the minute; WALL_ZERO: never */
};

/* Takes prefix, hash, description, scopes (none: all) and expiry; belongs to the transaction's tailnet. Its row is the answer. */
unsigned apikeys_insert(struct tx *tx, const struct apikey *key);
unsigned apikeys_list(struct tx *tx);                                 /* by id */
unsigned apikeys_page(struct tx *tx, uint64_t after, unsigned limit); /* by id, those behind `after` */
unsigned apikeys_get_prefix(struct tx *tx, struct bytes prefix);      /* one row or none */
unsigned apikeys_expire(struct tx *tx, uint64_t id);                  /* ERR_NOT_FOUND */
unsigned apikeys_delete(struct tx *tx, uint64_t id);                  /* ERR_NOT_FOUND */
size_t apikeys_read(struct tx *tx, unsigned statement, struct arena *arena, struct apikey **out);

/* Before the tailnet is known: by prefix, whosever it is, revoked and expired ones too (the caller compares hash and times). key is NULL when there is none. */
typedef void (*apikey_fn)(void *context, enum err e, const struct apikey *key);
void apikeys_find(struct pg *pg, struct bytes prefix, struct arena *arena, apikey_fn on_found, void *context);
/* It was good: notes the time, at most once a minute. Nobody waits for it. */
void apikeys_touch(struct pg *pg, const struct apikey *key);

#endif
