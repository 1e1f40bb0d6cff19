/* One probe of one relay: a client of it whose packet comes back to itself, STUN beside that, and for siblings a packet through the mesh from here to there.
 * Not when and whom (prober.h). A relay that does not admit us is asked for /derp/probe instead.
 * The user owns it; it is done once, never from within pairprobe_new, unless freed before. */
#ifndef PAIRPROBE_H
#define PAIRPROBE_H

#include "figure.h"
#include "loop.h"
#include "peers.h"

struct pairprobe;
struct relay;

/* why: what failed, for people; "" when nothing did. Both are good for the call. */
typedef void (*pairprobe_fn)(void *context, const struct figure *figure, const char *why);

struct pairprobe *pairprobe_new(struct loop *loop, const struct relay *relay, const struct peer *peer, pairprobe_fn on_done, void *context);
void pairprobe_free(struct pairprobe **probe); /* accepts NULL, leaves NULL; also from on_done */

#endif
