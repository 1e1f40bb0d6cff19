/* A text that differs from the one before in the users of its groups alone: the policy stays, and the nodes of those users are followed. Pure.
 * Not following (follow.h). Places in the document stay those of the text before: who tells lines to people compiles. */
#ifndef REGROUP_H
#define REGROUP_H

#include "policy.h"

/* Of all of the text but blanks, comments and the users of groups: equal outlines, the same policy but for them. False: it has none. */
bool regroup_outline(struct bytes text, uint8_t outline[static 32]);
/* The groups of `document`, which is the policy's, become those of `now`; users are borrowed from it for as long as the document lives. Both texts have one
 * outline, were read among the same surroundings, and nothing in them was passed over. Adds to `slots` those that the policy must follow now.
 * False: nothing was done; groups are others, or very many users are. */
bool regroup(struct policy *policy, struct document *document, const struct document *now, struct bitset *slots);

#endif
