/* Follows, in presence, the tailnets that somebody asked about, from the first question on.
 * Not presence itself: ask presence_online and presence_certain of the view afterwards.
 * The worker owns it; it ends before the view. */
#ifndef ONLINE_H
#define ONLINE_H

#include "err.h"
#include "presence.h"

struct online;

struct online *online_new(struct presence_view *view);
void online_free(struct online **online); /* accepts NULL; who waits hears ERR_CANCELED */
/* on_known once: ERR_NONE when the tailnet's presence was read; at once when it was before. NULL: nobody waits. */
void online_follow(struct online *online, uint64_t tailnet, void (*on_known)(void *context, enum err e), void *context);

#endif
