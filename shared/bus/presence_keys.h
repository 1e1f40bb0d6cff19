/* Names of what presence keeps in Redis, shared by both ends.
 * Not their meaning: presence.h.
 * Plain values. */
#ifndef PRESENCE_KEYS_H
#define PRESENCE_KEYS_H

#include "lease.h"
#include "presence.h"

#define PRESENCE_CHANNEL "fs:presence"

enum {
	PRESENCE_KEY_MAX = 128,
	PRESENCE_HELD_EXPIRY_S = 120 /* of a hash that nobody refreshes: its holder died */
};

extern const struct lease_kind presence_lease;

/* fs:held:HOLDER:TAILNET */
struct bytes presence_key(char key[static PRESENCE_KEY_MAX], struct bytes holder, uint64_t tailnet);

#endif
