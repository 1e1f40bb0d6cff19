/* A certificate that nobody vouches for: ECDSA P-256, one year, for a host name or an IP address; for tests and for pinning.
 * Not a certificate authority and not a store.
 * Appends PEM texts to the caller's buffers; the key's is the caller's to wipe. */
#ifndef SELFSIGNED_H
#define SELFSIGNED_H

#include "buffer.h"

/* ERR_MALFORMED: not a name that fits a certificate (1 to 253 characters). ERR_CRYPTO: the library refused. */
MUST_USE enum err selfsigned_make(const char *host, struct buffer *certificate, struct buffer *key);

#endif
