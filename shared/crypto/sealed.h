/* Messages that only holders of one secret can write and read: what goes through a bus that strangers may listen to.
 * Not for streams (cipher.h), not against repetition: what is inside must be good once only, by itself.
 * The key is the caller's and wiped by key_wipe. */
#ifndef SEALED_H
#define SEALED_H

#include "buffer.h"
#include "key.h"

enum { SEALED_KEY_LEN = 32, SEALED_EXTRA = 24 + 16 /* nonce and tag */ };

struct sealed_key {
	uint8_t raw[SEALED_KEY_LEN];
};

/* Keys of different purposes of one secret open nothing of each other. */
void sealed_key_derive(struct bytes secret, const char *purpose, struct sealed_key *key);
/* Appends; ERR_TOO_BIG past out's cap. */
MUST_USE enum err sealed_make(const struct sealed_key *key, struct bytes plain, struct buffer *out);
/* Appends what it held; ERR_CRYPTO when another key, or nobody, wrote it. `out` is unchanged on error. */
MUST_USE enum err sealed_open(const struct sealed_key *key, struct bytes sealed, struct buffer *out);

#endif
