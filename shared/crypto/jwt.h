/* JSON Web Tokens, the signing end: ES256 under a P-256 key, and the public half that a JSON Web Key shows.
 * Not what a token says (coordinator/idtoken.h) and not where keys are kept (store/serverkeys.h).
 * Plain values; a struct jwt_key is wiped by its owner with key_wipe. Source: RFC 7515, RFC 7518 (3.4, 6.2), RFC 7638; docs/protocol/identity.md. */
#ifndef JWT_H
#define JWT_H

#include "buffer.h"

enum { JWT_SCALAR_LEN = 32, JWT_PART_MAX = 44 }; /* 32 bytes in base64url, and a NUL */

struct jwt_key {
	uint8_t scalar[JWT_SCALAR_LEN];        /* private, big endian */
	char x[JWT_PART_MAX], y[JWT_PART_MAX]; /* public, as a JSON Web Key has them */
	char id[JWT_PART_MAX];                 /* its thumbprint: the "kid" of tokens and of the published key */
};

/* A fresh private scalar. ERR_CRYPTO: the library has no randomness. */
MUST_USE enum err jwt_mint(uint8_t scalar[static JWT_SCALAR_LEN]);
/* ERR_MALFORMED: zero, or not below the order of the curve. */
MUST_USE enum err jwt_key_of(const uint8_t scalar[static JWT_SCALAR_LEN], struct jwt_key *key);
/* Appends the compact form: header {alg, kid, typ}, `claims` (a JSON object, taken as it is), signature. Errors: ERR_TOO_BIG past out's cap, ERR_CRYPTO. */
MUST_USE enum err jwt_sign(const struct jwt_key *key, struct bytes claims, struct buffer *out);

#endif
