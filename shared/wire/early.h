/* The early payload: what a server may say inside Noise before HTTP/2 begins.
 * Not needed by any client that is known; it carries the challenge for proving a node key.
 * Appends to the caller's buffer. Source: docs/protocol/registration.md (tailscale control/ts2021). */
#ifndef EARLY_H
#define EARLY_H

#include "buffer.h"
#include "key.h"

enum { EARLY_HEADER_LEN = 9 }; /* ff ff ff "TS", then the big-endian length of the JSON text: as long as an HTTP/2 frame header */

/* Appends header and {"nodeKeyChallenge":"chalpub:..."}; `challenge` should be fresh for each connection. */
MUST_USE enum err early_encode(const struct public_key *challenge, struct buffer *out);

#endif
