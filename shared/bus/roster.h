/* The live mapper loops, and which of them keeps a tailnet: rendezvous hash. A member is one loop of one mapper with its own link address.
 * Not a connection (link/dial.h). With Redis gone the last roster known goes on.
 * Keys: fs:mapper:MEMBER (expires) = link endpoint. */
#ifndef ROSTER_H
#define ROSTER_H

#include "addr.h"
#include "bus.h"

enum { ROSTER_LEASE_MS = 3000, ROSTER_RENEW_MS = 1000 };

struct roster_member;
/* Mapper end: announce until ended (which withdraws at once). */
struct roster_member *roster_announce(struct bus *bus, const char *member, struct endpoint link);
void roster_withdraw(struct roster_member **member);

struct roster;
struct roster *roster_new(struct bus *bus, void (*on_change)(void *context), void *context); /* on_change may be NULL */
void roster_free(struct roster **roster);
/* Highest hash of (member, tailnet) over live members that are not marked. ERR_UNAVAILABLE: none known. */
MUST_USE enum err roster_pick(const struct roster *roster, uint64_t tailnet, struct endpoint *link);
/* Seen dead by a dial: not picked for a while (a few seconds), unless nobody else is left. */
void roster_mark(struct roster *roster, struct endpoint link);
size_t roster_count(const struct roster *roster);

#endif
