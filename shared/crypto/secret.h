/* Bearer secrets: mint, split, hash, compare. hskey-KIND-PPPPPPPPPPPP-<64 hex>; found by prefix, compared by one fast hash.
 * Not password hashing: the secret part is 256 random bits.
 * Plain values; texts are wiped by key_wipe. Source of the shape: docs/protocol/secrets.md (headscale 0.30). */
#ifndef SECRET_H
#define SECRET_H

#include "key.h"

enum secret_kind { SECRET_AUTH, SECRET_API, SECRET_RELAY }; /* "hskey-auth-", "hskey-api-", "hskey-relay-" */

enum { SECRET_PREFIX_LEN = 12, SECRET_HASH_LEN = 32, SECRET_TEXT_MAX = 96 };

struct secret {
	char text[SECRET_TEXT_MAX];         /* shown once to whoever asked for it */
	char prefix[SECRET_PREFIX_LEN + 1]; /* stored and found by */
	uint8_t hash[SECRET_HASH_LEN];      /* stored: SHA-256 of the whole text */
};

void secret_mint(enum secret_kind kind, struct secret *secret);
/* Splits a presented text and hashes it; ERR_MALFORMED when it does not look like that kind. */
MUST_USE enum err secret_parse(enum secret_kind kind, struct bytes text, struct secret *secret);
bool secret_matches(const struct secret *presented, const uint8_t stored[static SECRET_HASH_LEN]); /* constant time */

/* SHA-256 of bytes, for ETags and content names. */
void hash_bytes(struct bytes b, uint8_t out[static 32]);
/* SHA-1, which the handshake of WebSocket wants; it proves nothing. */
void hash_sha1(struct bytes b, uint8_t out[static 20]);

#endif
