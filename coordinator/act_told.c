#include "act_told.h"

#include <inttypes.h>

#include "warnings.h"

void act_told_attributes(struct coordinator *c, const struct node *node, const struct attribute *attributes, size_t count, tx_fn on_done, void *context)
{
	struct tx *tx = tx_begin(c->pg, node->tailnet, TX_WRITE);

	attributes_set(tx, node->id, attributes, count);
	act_commit(c, tx, on_done, context);
}

void act_told_warning(struct coordinator *c, const struct node *node, struct bytes subsystem, struct bytes message, tx_fn on_done, void *context)
{
	struct tx *tx = tx_begin(c->pg, node->tailnet, TX_WRITE);

	warnings_set(tx, node->id, subsystem, message);
	act_commit(c, tx, on_done, context);
}

void act_told_line(struct coordinator *c, const struct node *node, uint64_t request, const char *action, struct bytes details, tx_fn on_done, void *context)
{
	struct tx *tx = tx_begin(c->pg, node->tailnet, TX_WRITE);
	struct actor actor = {
		.name = "node",
		.credential = arena_format(tx_arena(tx), "%" PRIu64, node->id),
		.tailnet = node->tailnet,
		.request = request,
	};

	act_audit(tx, &actor, action, node->id, act_detail(tx, "details", details));
	act_commit(c, tx, on_done, context);
}
