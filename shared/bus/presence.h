/* Who is online: a lease per holder (one loop of one coordinator), below it node -> session. Nothing of it is a row.
 * Not last seen (that is a row) and not a mapper's own subscriptions (the keeper adds those).
 * Two ends: a holder (coordinator) declares, a view (mapper, sweep) follows tailnets.
 *
 * Keys: fs:lease:HOLDER (expires) = random number of the last declaration, fs:holders set of names, fs:held:HOLDER:TAILNET hash node -> session.
 * Channel fs:presence (presence_message.h). See docs/presence.md. */
#ifndef PRESENCE_H
#define PRESENCE_H

#include "bus.h"

enum { PRESENCE_LEASE_MS = 6000, PRESENCE_RENEW_MS = 2000 };

struct presence;

/* on_replaced: a newer session of that node exists anywhere; end this one's stream. */
/* `holder`: unique among all processes, at most 64 letters, digits or any of "-_.:"; a new start may be a new name. */
struct presence *presence_new(struct bus *bus, const char *holder, void (*on_replaced)(void *context, uint64_t tailnet, uint64_t node, uint64_t session),
			      void *context);
/* Drops everything it holds first (a clean goodbye). */
void presence_free(struct presence **presence);
/* The node is here from now on; says so to all. A later take of the same node replaces (and rings) the earlier one. */
void presence_take(struct presence *presence, uint64_t tailnet, uint64_t node, uint64_t session);
/* Only if that session still stands: a late goodbye cannot end a newer session. */
void presence_drop(struct presence *presence, uint64_t tailnet, uint64_t node, uint64_t session);

struct presence_view;

/* grace_ms: how long a node stays online after its last entry went. on_change: online(tailnet, node) may differ now; it must not follow or unfollow. */
struct presence_view *presence_view_new(struct bus *bus, int64_t grace_ms, void (*on_change)(void *context, uint64_t tailnet, uint64_t node), void *context);
void presence_view_free(struct presence_view **view);
/* Follow a tailnet (once at a time; no on_change before on_known: ask presence_online then); on_known once, never before the call returned, when its entries were read (or Redis is not there: then nobody is known, and nobody goes offline before the first reading). */
void presence_follow(struct presence_view *view, uint64_t tailnet, void (*on_known)(void *context, uint64_t tailnet), void *context);
void presence_unfollow(struct presence_view *view, uint64_t tailnet);
/* A live holder's entry, or within the grace. After Redis lost its data: as before, until every live holder declared itself again or the grace passed. */
bool presence_online(const struct presence_view *view, uint64_t tailnet, uint64_t node);
/* False while Redis is away or was not read yet: absence means nothing then. */
bool presence_certain(const struct presence_view *view, uint64_t tailnet);

#endif
