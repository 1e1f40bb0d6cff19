/* What the policy approves by itself: routes of routers, tags at registration. Pure.
 * Not rows: act_node writes what these answer. `node` need not be on the roll.
 * Source: docs/protocol/policy.md, sections 16 and 17. */
#ifndef APPROVE_H
#define APPROVE_H

#include "policy.h"

/* Whether an advertised route of this node is approved: exit routes by exitNode alone, others by a key that contains them. */
bool approve_route(const struct document *document, const struct roll *roll, const struct node *node, struct prefix route);
/* Several of one node: who names it is found once. Those that are approved, as they were given; how many. `out` may be `routes`. */
size_t approve_routes(const struct document *document, const struct roll *roll, const struct node *node, const struct prefix *routes, size_t count,
		      struct prefix *out);
/* The same for the nodes of a compiled policy, who is named by an approver found once. Lives in the arena and borrows the policy. */
struct approvals;
struct approvals *approvals_new(struct policy *policy, struct arena *arena);
bool approvals_have(struct approvals *approvals, uint32_t slot, struct prefix route);
/* Whether the user may give a node this tag: listed, in a listed group or role, owner of a listed tag; or the node carries a tag that owns it (`carried`, may be NULL).
 * ERR_DENIED or ERR_NOT_FOUND (no such tag) with a sentence. */
MUST_USE enum err approve_tag(const struct document *document, const struct roll *roll, const struct roll_user *user, const struct node *carried,
			      struct bytes tag, struct diag *why);

#endif
