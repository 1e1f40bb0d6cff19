/* Signatures by Ed25519: whoever knows the public key can tell who said something.
 * Not secrecy, and not tokens for strangers (jwt.h).
 * Plain values; a seed is wiped by key_wipe. */
#ifndef SIGN_H
#define SIGN_H

#include "bytes.h"
#include "err.h"

enum { SIGN_KEY_LEN = 32, SIGN_SEED_LEN = 32, SIGN_LEN = 64, SIGN_TEXT_MAX = 80 };

struct sign_key {
	uint8_t raw[SIGN_KEY_LEN];
};

void sign_mint(uint8_t seed[static SIGN_SEED_LEN]);
void sign_public(const uint8_t seed[static SIGN_SEED_LEN], struct sign_key *key);
void sign_make(const uint8_t seed[static SIGN_SEED_LEN], struct bytes text, uint8_t signature[static SIGN_LEN]);
bool sign_is_good(const struct sign_key *key, struct bytes text, const uint8_t signature[static SIGN_LEN]);

/* "ed25519:" and 64 hex digits. */
MUST_USE enum err sign_parse(struct bytes text, struct sign_key *key);
void sign_format(char out[static SIGN_TEXT_MAX], const struct sign_key *key);

#endif
