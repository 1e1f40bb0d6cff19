/* The server's own keys. Only coordinators can read them.
 * Not minted here: `fleetscale migrate` does, when there is none.
 * The caller wipes what it got (key_wipe). */
#ifndef SERVERKEYS_H
#define SERVERKEYS_H

#include "clock.h"
#include "key.h"

enum { SERVERKEYS_MAX = 8 };

struct serverkey {
	struct private_key private_key;
	struct public_key public_key;
	struct wall from, until; /* valid in between; until WALL_ZERO: no end */
};

/* The Noise keys, newest first: the first is the one that /key shows. Blocking; before the workers start. ERR_NOT_FOUND: run `fleetscale migrate`. */
MUST_USE enum err serverkeys_load(const char *url, struct serverkey keys[static SERVERKEYS_MAX], size_t *count, struct diag *why);

#endif
