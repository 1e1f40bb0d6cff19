#include "act_node.h"

#include <stdlib.h>

#include "autoapprove.h"
#include "notice.h"

struct node_act {
	struct coordinator *c;
	uint64_t tailnet;
	unsigned row; /* statement that reads the node as it stands afterwards */
	bool anew;    /* the policy may approve other routes of it than before */
	act_node_fn on_done;
	void *context;
};

static void on_committed(void *context, enum err e, struct tx *tx, const struct diag *why)
{
	struct node_act *a = context;
	struct node *nodes = NULL;
	size_t count = e ? 0 : nodes_read(tx, a->row, tx_arena(tx), &nodes);

	if (count && a->anew)
		autoapprove_nodes(a->c, nodes[0].tailnet, &nodes[0].id, 1);
	a->on_done(a->context, e, count ? &nodes[0] : NULL, why);
	free(a);
}

static void commit_as(struct coordinator *c, struct tx *tx, uint64_t node, bool anew, act_node_fn on_done, void *context)
{
	struct node_act *a = x_alloc(sizeof *a);

	*a = (struct node_act){.c = c, .row = nodes_get(tx, node), .anew = anew, .on_done = on_done, .context = context};
	act_commit(c, tx, on_committed, a);
}

static void node_act_commit(struct coordinator *c, struct tx *tx, uint64_t node, act_node_fn on_done, void *context)
{
	commit_as(c, tx, node, false, on_done, context);
}

static void on_enrolled(void *context, enum err e, const struct node *node, uint64_t generation, const struct diag *why)
{
	struct node_act *a = context;

	if (!e)
		notice_ring(a->c->bus, a->tailnet, generation);
	if (!e && node && node->advertised_count)
		autoapprove_nodes(a->c, a->tailnet, &node->id, 1);
	a->on_done(a->context, e, node, why);
	free(a);
}

/* Joins of a tailnet that come at the same time share a commit: the store gathers them. */
void act_node_enroll(struct coordinator *c, uint64_t tailnet, const struct enrollment *enrollment, act_node_fn on_done, void *context)
{
	struct node_act *a = x_alloc(sizeof *a);

	*a = (struct node_act){.c = c, .tailnet = tailnet, .on_done = on_done, .context = context};
	nodes_enroll(c->pg, tailnet, enrollment, on_enrolled, a);
}

void act_node_rekey(struct coordinator *c, const struct node *node, const struct enrollment *enrollment, act_node_fn on_done, void *context)
{
	struct tx *tx = tx_begin(c->pg, node->tailnet, TX_WRITE);

	nodes_rekey(tx, node->id, &node->node_key, enrollment);
	if (enrollment->approved && !node->approved)
		nodes_approve(tx, node->id, true);
	commit_as(c, tx, node->id, true, on_done, context);
}

void act_node_logout(struct coordinator *c, const struct node *node, act_node_fn on_done, void *context)
{
	if (node->ephemeral)
		act_node_delete(c, NULL, node->tailnet, node->id, on_done, context);
	else
		act_node_set_expiry(c, NULL, node->tailnet, node->id, clock_wall(), on_done, context);
}

void act_node_relabel(struct coordinator *c, uint64_t tailnet, uint64_t node, struct bytes base, act_node_fn on_done, void *context)
{
	struct tx *tx = tx_begin(c->pg, tailnet, TX_WRITE);

	nodes_relabel(tx, node, base);
	node_act_commit(c, tx, node, on_done, context);
}

void act_node_set_expiry(struct coordinator *c, const struct actor *actor, uint64_t tailnet, uint64_t node, struct wall expiry, act_node_fn on_done,
			 void *context)
{
	struct tx *tx = tx_begin(c->pg, tailnet, TX_WRITE);

	act_audit(tx, actor, "node.expire", node, NULL);
	nodes_set_expiry(tx, node, expiry);
	node_act_commit(c, tx, node, on_done, context);
}

void act_node_delete(struct coordinator *c, const struct actor *actor, uint64_t tailnet, uint64_t node, act_node_fn on_done, void *context)
{
	struct tx *tx = tx_begin(c->pg, tailnet, TX_WRITE);

	act_audit(tx, actor, "node.delete", node, NULL);
	nodes_delete(tx, node);
	node_act_commit(c, tx, node, on_done, context);
}

void act_node_rename(struct coordinator *c, const struct actor *actor, uint64_t tailnet, uint64_t node, struct bytes label, act_node_fn on_done, void *context)
{
	struct tx *tx = tx_begin(c->pg, tailnet, TX_WRITE);

	act_audit(tx, actor, "node.rename", node, NULL);
	nodes_rename(tx, node, label);
	node_act_commit(c, tx, node, on_done, context);
}

void act_node_tag(struct coordinator *c, const struct actor *actor, uint64_t tailnet, uint64_t node, const struct bytes *tags, size_t count,
		  act_node_fn on_done, void *context)
{
	struct tx *tx = tx_begin(c->pg, tailnet, TX_WRITE);

	act_audit(tx, actor, "node.tag", node, NULL);
	nodes_tag(tx, node, tags, count);
	commit_as(c, tx, node, true, on_done, context);
}

void act_node_retag(struct coordinator *c, const struct node *node, const struct bytes *tags, size_t count, act_node_fn on_done, void *context)
{
	struct tx *tx = tx_begin(c->pg, node->tailnet, TX_WRITE);

	nodes_retag(tx, node, tags, count);
	commit_as(c, tx, node->id, true, on_done, context);
}

void act_node_approve(struct coordinator *c, const struct actor *actor, uint64_t tailnet, uint64_t node, bool approved, act_node_fn on_done, void *context)
{
	struct tx *tx = tx_begin(c->pg, tailnet, TX_WRITE);

	act_audit(tx, actor, approved ? "node.approve" : "node.disapprove", node, NULL);
	nodes_approve(tx, node, approved);
	commit_as(c, tx, node, true, on_done, context);
}

void act_node_approve_routes(struct coordinator *c, const struct actor *actor, uint64_t tailnet, uint64_t node, const struct prefix *routes, size_t count,
			     act_node_fn on_done, void *context)
{
	struct tx *tx = tx_begin(c->pg, tailnet, TX_WRITE);

	act_audit(tx, actor, "node.approve-routes", node, NULL);
	nodes_approve_routes(tx, node, routes, count);
	node_act_commit(c, tx, node, on_done, context);
}
