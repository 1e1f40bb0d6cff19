/* All writes to nodes: check, one transaction, ring.
 * Not deciding who gets in (fleet/admission.h). Each answers exactly once, never before it returned.
 * The node of an answer is borrowed until the answer returns; NULL when it is gone or e says why not. */
#ifndef ACT_NODE_H
#define ACT_NODE_H

#include "act.h"
#include "nodes.h"

typedef void (*act_node_fn)(void *context, enum err e, const struct node *node, const struct diag *why);

void act_node_enroll(struct coordinator *c, uint64_t tailnet, const struct enrollment *enrollment, act_node_fn on_done, void *context);
void act_node_rekey(struct coordinator *c, const struct node *node, const struct enrollment *enrollment, act_node_fn on_done, void *context);
/* The client's own: logout, expire sooner. An ephemeral node's logout deletes it. */
void act_node_logout(struct coordinator *c, const struct node *node, act_node_fn on_done, void *context);
void act_node_relabel(struct coordinator *c, uint64_t tailnet, uint64_t node, struct bytes base, act_node_fn on_done, void *context);
/* ERR_CONFLICT: it was given other tags, or expired, since `node` was read. */
void act_node_retag(struct coordinator *c, const struct node *node, const struct bytes *tags, size_t count, act_node_fn on_done, void *context);

/* An administrator's, and time's (actor NULL). */
void act_node_set_expiry(struct coordinator *c, const struct actor *actor, uint64_t tailnet, uint64_t node, struct wall expiry, act_node_fn on_done,
			 void *context);
void act_node_delete(struct coordinator *c, const struct actor *actor, uint64_t tailnet, uint64_t node, act_node_fn on_done, void *context);
void act_node_rename(struct coordinator *c, const struct actor *actor, uint64_t tailnet, uint64_t node, struct bytes label, act_node_fn on_done, void *context);
void act_node_tag(struct coordinator *c, const struct actor *actor, uint64_t tailnet, uint64_t node, const struct bytes *tags, size_t count,
		  act_node_fn on_done, void *context);
void act_node_approve(struct coordinator *c, const struct actor *actor, uint64_t tailnet, uint64_t node, bool approved, act_node_fn on_done, void *context);
void act_node_approve_routes(struct coordinator *c, const struct actor *actor, uint64_t tailnet, uint64_t node, const struct prefix *routes, size_t count,
			     act_node_fn on_done, void *context);

#endif
