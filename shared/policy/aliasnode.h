/* Whether an alias names a node, asked without a compiled policy: for nodes that are about to join. Private to the module.
 * Not the meaning of an alias for a whole tailnet: that is policy_meaning. Pure.
 * Source: docs/protocol/policy.md, section 4. */
#ifndef ALIASNODE_H
#define ALIASNODE_H

#include "roll.h"

/* Users, groups, domains, roles and autogroup:member name nodes without tags alone; hosts, prefixes and ipsets name by the node's addresses (IP_NONE: no match).
 * autogroup:self, :internet and :shared name nobody. `node` need not be on the roll. */
bool alias_names(const struct document *document, const struct roll *roll, const struct alias *alias, const struct node *node);

#endif
