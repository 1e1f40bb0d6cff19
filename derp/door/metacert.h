/* The certificate behind every chain whose name is the relay's key: who reads it begins to speak DERP with its first bytes (fast start).
 * Not a certificate that anybody verifies. Ed25519, signed by itself, serial number 2 (the protocol's version), 30 days to either side of now.
 * Appends DER to the caller's buffer; the pair of keys is forgotten. Source: docs/protocol/derp.md, fast start (tailscale derp/derpserver, initMetacert). */
#ifndef METACERT_H
#define METACERT_H

#include "buffer.h"
#include "key.h"

enum { METACERT_MAX = 2048 };

MUST_USE enum err metacert_make(const struct public_key *relay, struct buffer *der);

#endif
