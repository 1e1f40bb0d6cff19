/* The NaCl box of the relay handshake: X25519 + XSalsa20 + Poly1305, nonce in front.
 * Not for streams. Plain functions; nothing is kept. Source: docs/protocol/derp.md (tailscale types/key NodePrivate.SealTo). */
#ifndef BOX_H
#define BOX_H

#include "buffer.h"
#include "key.h"

enum { BOX_NONCE_LEN = 24, BOX_TAG_LEN = 16, BOX_OVERHEAD = BOX_NONCE_LEN + BOX_TAG_LEN };

/* Appends nonce and box to `out`. */
MUST_USE enum err box_seal(const struct private_key *from, const uint8_t to[static KEY_LEN], struct bytes plain, struct buffer *out);
/* Appends the plaintext. ERR_CRYPTO when it is not for us or not from `from`; ERR_MALFORMED when too short. */
MUST_USE enum err box_open(const struct private_key *to, const uint8_t from[static KEY_LEN], struct bytes sealed, struct buffer *out);

#endif
