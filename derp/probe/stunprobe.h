/* The round trip of a STUN request over UDP: sent again while no answer comes, given up after a while.
 * Not the answering side (stundoor.h). The user owns it; it is answered once, never from within stunprobe_new, unless freed before. */
#ifndef STUNPROBE_H
#define STUNPROBE_H

#include "addr.h"
#include "loop.h"

struct stunprobe;

/* us: of the request that was answered; negative: none came. */
struct stunprobe *stunprobe_new(struct loop *loop, struct endpoint to, void (*on_done)(void *context, int64_t us), void *context);
void stunprobe_free(struct stunprobe **probe); /* accepts NULL, leaves NULL; also from on_done */

#endif
