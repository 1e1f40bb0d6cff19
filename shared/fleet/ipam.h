/* Which address next: a rule over a range and a cursor.
 * Not the taking: that happens inside the joining transaction, and unique constraints of nodes judge.
 * Pure. Source of the reserved addresses: docs/protocol/addresses.md. */
#ifndef IPAM_H
#define IPAM_H

#include "addr.h"

/* The first usable address at or after offset `cursor` of the range; *next = the offset behind it. ERR_EXHAUSTED at the end of the range (no wrap).
 * Never given out: 100.100.100.100, 100.115.92.0/23, network and broadcast ends, fd7a:115c:a1e0::53, fd7a:115c:a1e0:b1a::/64, the 4-to-6 block. */
MUST_USE enum err ipam_next(struct prefix range, uint64_t cursor, struct ip *ip, uint64_t *next);

#endif
