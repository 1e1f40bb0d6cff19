/* What a via grant does to the routes of those who may use it. Private to the module.
 * Not who may: that is the grant's source. Lives in the arena, but for `steers`, which is cleared by the owner.
 * Source: docs/protocol/policy.md, section 15.3. */
#ifndef SIGHTVIA_H
#define SIGHTVIA_H

#include "sightgroup.h"

/* The grant of the rule whose `count` units start at `units`. Per subnet route one router gets it, whoever of those with the tag was created first;
 * exit routes stay with all of them. */
void sight_grant_init(struct sight_grant *grant, struct arena *arena, const struct policy *policy, const struct ways *ways, const struct unit *units,
		      size_t count);

#endif
