/* All writes of administrators to attributes of nodes: check, audit line, statement; the caller commits by act_commit.
 * Not a node's own (act_told.h). On error nothing was added. */
#ifndef ACT_ATTRIBUTE_H
#define ACT_ATTRIBUTE_H

#include "act.h"
#include "attributes.h"

enum { ATTRIBUTE_NOTE_MAX = 256 };

/* Key (custom:...), value, expiry (to come, or WALL_ZERO) and note of `attribute`. ERR_MALFORMED says what is wrong. */
MUST_USE enum err act_attribute_give(struct tx *tx, const struct actor *actor, uint64_t node, const struct attribute *attribute, struct diag *why);
void act_attribute_drop(struct tx *tx, const struct actor *actor, uint64_t node, struct bytes key);

#endif
