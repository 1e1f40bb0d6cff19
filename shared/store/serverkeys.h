/* The server's own keys. Only coordinators can read them.
 * Not minted here: `fleetscale migrate` does, when there is none.
 * The caller wipes what it got (key_wipe). */
#ifndef SERVERKEYS_H
#define SERVERKEYS_H

#include "jwt.h"
#include "key.h"
#include "pg.h"
#include "sign.h"

enum { SERVERKEYS_MAX = 8 };

struct serverkey {
	struct private_key private_key;
	struct public_key public_key;
	struct wall from, until; /* valid in between; until WALL_ZERO: no end */
};

/* The Noise keys, newest first: the first is the one that /key shows. Blocking; before the workers start. ERR_NOT_FOUND: run `fleetscale migrate`. */
MUST_USE enum err serverkeys_load(const char *url, struct serverkey keys[static SERVERKEYS_MAX], size_t *count, struct diag *why);

/* Signs what relays are answered, from `from` until `until`; told to relays from its birth on. */
struct signing_key {
	uint8_t seed[SIGN_SEED_LEN];
	struct sign_key key;
	struct wall from, until; /* until WALL_ZERO: no end */
};
/* Newest first. Blocking; before the workers start. ERR_NOT_FOUND: run `fleetscale migrate`. */
MUST_USE enum err serverkeys_load_signing(const char *url, struct signing_key keys[static SERVERKEYS_MAX], size_t *count, struct diag *why);
/* The same from a pool, again and again: a row that came or ended meanwhile is seen. Borrowed until the answer returns, wiped afterwards; exactly once, never
 * before the call returned. ERR_NOT_FOUND: there is none. */
typedef void (*serverkeys_signing_fn)(void *context, enum err e, const struct signing_key *keys, size_t count);
void serverkeys_signing(struct pg *pg, serverkeys_signing_fn on_keys, void *context);
/* The one that signs now; NULL: none may. */
const struct signing_key *serverkeys_signer(const struct signing_key *keys, size_t count, struct wall now);

/* Signs tokens from `from` until `until`; published from its birth on and for an hour after its end, so that verifiers know it before the first token and after the last. */
struct identity_key {
	struct jwt_key key;
	struct wall from, until; /* until WALL_ZERO: no end */
};
/* Those to publish, newest first. Borrowed until the answer returns, wiped afterwards; exactly once, never before the call returned.
 * ERR_NOT_FOUND: run `fleetscale migrate`. */
typedef void (*serverkeys_identity_fn)(void *context, enum err e, const struct identity_key *keys, size_t count);
void serverkeys_identity(struct pg *pg, serverkeys_identity_fn on_keys, void *context);

#endif
