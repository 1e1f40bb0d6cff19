/* An auth key: the right to join one tailnet as one user, or as a set of tags.
 * Not the secret itself: only its prefix and hash (crypto/secret.h). Lists live in the arena of whoever read it. */
#ifndef AUTHKEY_H
#define AUTHKEY_H

#include "clock.h"
#include "secret.h"

struct authkey {
	uint64_t id, tailnet;
	uint64_t user; /* 0 for a key that belongs to tags alone */
	char prefix[SECRET_PREFIX_LEN + 1];
	uint8_t hash[SECRET_HASH_LEN];
	struct bytes description;
	bool reusable, ephemeral, preapproved;
	struct bytes *tags; /* "tag:name", sorted, unique */
	size_t tag_count;
	struct wall created, expiry; /* expiry WALL_ZERO: never */
	struct wall revoked;         /* WALL_ZERO: still good; `expire` sets it */
	uint64_t used_by;            /* node that a one-shot key let in, or 0 */
	unsigned uses, uses_most;    /* of a reusable key: machines that it let in, and how many it may; uses_most 0: any number, not counted */
};

enum { TAG_MAX = 64, TAGS_MAX = 64, AUTHKEY_USES_MAX = 1000000 };
/* "tag:" + letter + letters, digits, "-". */
MUST_USE enum err tag_check(struct bytes tag, struct diag *why);

#endif
