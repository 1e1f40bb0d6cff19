/* The primitives under Noise: BLAKE2s-256, HMAC and HKDF over it, ChaCha20-Poly1305, X25519. Inside this module only.
 * Not a protocol: noise.h and symmetric.h put these together.
 * Contexts belong to the calling thread and end with it. Source: docs/protocol/noise.md. */
#ifndef CIPHER_H
#define CIPHER_H

#include "key.h"

enum { CIPHER_HASH_LEN = 32, CIPHER_KEY_LEN = 32, CIPHER_TAG_LEN = 16 };

void cipher_hash(uint8_t out[static CIPHER_HASH_LEN], struct bytes a, struct bytes b); /* BLAKE2s(a || b); out may be a or b */
void cipher_hmac(uint8_t out[static CIPHER_HASH_LEN], const uint8_t key[static CIPHER_HASH_LEN], struct bytes a, struct bytes b);
/* RFC 5869 with empty info: `count` (1 to 3) outputs of 32 bytes. */
void cipher_hkdf(const uint8_t salt[static CIPHER_HASH_LEN], struct bytes input, unsigned count, uint8_t out[][CIPHER_HASH_LEN]);

/* `out` takes plain.len bytes and the tag. The nonce is 4 zero bytes and `counter` big-endian. */
void cipher_seal(const uint8_t key[static CIPHER_KEY_LEN], uint64_t counter, struct bytes ad, struct bytes plain, uint8_t *out);
/* `out` takes sealed.len - CIPHER_TAG_LEN bytes, which mean nothing when false comes back. */
MUST_USE bool cipher_open(const uint8_t key[static CIPHER_KEY_LEN], uint64_t counter, struct bytes ad, struct bytes sealed, uint8_t *out);

/* False when the result would be all zeros (a point of small order). */
MUST_USE bool cipher_dh(uint8_t out[static KEY_LEN], const struct private_key *key, const uint8_t peer[static KEY_LEN]);

#endif
