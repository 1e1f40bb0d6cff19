/* A packet to itself: from a client of ours through the relay's own listener (TCP, TLS, upgrade, DERP's handshake) and back to that client.
 * Not readiness: no coordinator takes part, since the relay admits its own keys. One at a time; an answer is good for a second, for all who ask meanwhile.
 * Belongs to the loop it was made on. */
#ifndef ROUNDTRIP_H
#define ROUNDTRIP_H

#include "loop.h"

struct relay;
struct roundtrip;

typedef void (*roundtrip_fn)(void *context, bool good, const char *text); /* text: one line, good for the call */

struct roundtrip *roundtrip_new(struct loop *loop, const struct relay *relay);
/* Answered once, at once when a fresh answer is there. */
void roundtrip_ask(struct roundtrip *roundtrip, roundtrip_fn on_answer, void *context);
/* Who waits is answered. Accepts NULL, leaves NULL. */
void roundtrip_free(struct roundtrip **roundtrip);

#endif
