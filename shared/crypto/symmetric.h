/* The state that a Noise handshake mixes everything into: hash, chaining key and the key of the moment. Inside this module only.
 * Not a handshake: noise.h says what is mixed in which order.
 * Embedded and wiped by its owner. Source: docs/protocol/noise.md (Noise Protocol Framework, section 5.2). */
#ifndef SYMMETRIC_H
#define SYMMETRIC_H

#include "cipher.h"

struct symmetric {
	uint8_t h[CIPHER_HASH_LEN], ck[CIPHER_HASH_LEN], key[CIPHER_KEY_LEN];
};

/* `name` is longer than 32 bytes, hence hashed. */
void symmetric_init(struct symmetric *s, struct bytes name, struct bytes prologue);
void symmetric_mix_hash(struct symmetric *s, struct bytes b);
void symmetric_mix_key(struct symmetric *s, struct bytes input);
void symmetric_mix_key_and_hash(struct symmetric *s, struct bytes input);
/* Mixes a Diffie-Hellman result; ERR_CRYPTO when it is all zeros. */
MUST_USE enum err symmetric_mix_dh(struct symmetric *s, const struct private_key *key, const uint8_t peer[static KEY_LEN]);
/* Each key is used once, with nonce zero. `out` takes plain.len + CIPHER_TAG_LEN bytes. */
void symmetric_seal(struct symmetric *s, struct bytes plain, uint8_t *out);
MUST_USE enum err symmetric_open(struct symmetric *s, struct bytes sealed, uint8_t *out);
/* The two record keys: initiator's first. */
void symmetric_split(const struct symmetric *s, uint8_t first[static CIPHER_KEY_LEN], uint8_t second[static CIPHER_KEY_LEN]);

#endif
