/* A compiled policy follows a roll on which some nodes joined, left or changed, without a look at its rules. Pure.
 * Not another document: that is compiled.
 * Who follows owns `touched`; the policy stays what policy_compile of the roll would answer, or must be compiled anew. */
#ifndef FOLLOW_H
#define FOLLOW_H

#include "policy.h"

/* Slots of which something may be other than before; those that changed themselves are not named for that. Cleared by the owner. */
struct touched {
	struct bitset filters; /* a source of one of its rules has other texts */
	struct bitset ssh;
	bool sights; /* there are new sights, and nodes among the others may have another one than before */
};

/* The roll stands changed in these slots (ascending), and in its users perhaps, but for nobody's name, role or groups whose nodes are not among the slots.
 * True: it was followed. False: it could not, the policy is of no use any more and must be compiled anew.
 *
 * While some other node, its twin, stands in each alias and posture of the policy as a node does (and, when rules are for each user alone, is of its user), what
 * rules make of it is known, and no two sources become equal or unequal by it: no rule is touched. Without a twin its aliases, and the rules of these, are
 * asked: unless sources become equal or unequal, a name gets its first address or loses its last, or a user's own rules change. Not followed are routers and exit nodes, addresses in
 * approved routes, and policies whose address sets are made of nodes (ipsets of names, `*` beside several names or beside a name and addresses, addresses under
 * postures). */
bool policy_follow(struct policy *policy, const uint32_t *slots, size_t count, struct touched *touched);

#endif
