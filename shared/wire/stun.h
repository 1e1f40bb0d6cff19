/* STUN binding requests as Tailscale clients send them, and the answer: what address a request came from.
 * Not a general STUN server: anything else is silently dropped. No socket here (stundoor.h).
 * Plain values over borrowed bytes. Source: docs/protocol/derp.md, STUN (tailscale net/stun; RFC 5389). */
#ifndef STUN_H
#define STUN_H

#include "addr.h"

enum { STUN_ID_LEN = 12, STUN_ANSWER_MAX = 44, STUN_REQUEST_LEN = 40 };

/* ERR_UNSUPPORTED: not STUN, or not a request of a Tailscale client. ERR_MALFORMED: one whose attributes or fingerprint are broken. */
MUST_USE enum err stun_decode(struct bytes datagram, uint8_t id[static STUN_ID_LEN]);
/* Returns the length: 32 for IPv4 (and IPv4 in IPv6), 44 for IPv6. */
size_t stun_encode(uint8_t out[static STUN_ANSWER_MAX], const uint8_t id[static STUN_ID_LEN], struct endpoint from);

/* The other side: a request, and whether a datagram is the answer to it, with whatever attributes that tell an address. */
void stun_encode_request(uint8_t out[static STUN_REQUEST_LEN], const uint8_t id[static STUN_ID_LEN]);
bool stun_is_answer(struct bytes datagram, const uint8_t id[static STUN_ID_LEN]);

#endif
