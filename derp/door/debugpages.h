/* The pages under /debug/ on the relay's own door: what it counts, under the names that stock relays give (their graphs go on working), and whether its books agree.
 * Not the operations door (daemon_door.h), which has our own names. For this machine and the tailnet alone, never through a proxy.
 * Nothing is owned. Source: docs/protocol/derp.md, operators' pages (tailscale tsweb/debug.go, derp/derpserver). */
#ifndef DEBUGPAGES_H
#define DEBUGPAGES_H

#include "exchange.h"

bool debugpages_may_look(const struct exchange *x);
/* Guard: passes those who may look; others are told 403. */
void debugpages_guard(struct exchange *x);
void debugpages_index(struct exchange *x);
void debugpages_vars(struct exchange *x); /* JSON */
void debugpages_varz(struct exchange *x); /* Prometheus text */
void debugpages_check(struct exchange *x);

#endif
