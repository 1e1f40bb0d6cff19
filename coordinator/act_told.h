/* Writes of what a node tells of itself beside its reports: attributes, warnings, what stands in the audits.
 * Not lite updates (reports.h). No map shows it: no journal line. Each answers as act_commit does. */
#ifndef ACT_TOLD_H
#define ACT_TOLD_H

#include "act.h"
#include "attributes.h"
#include "node.h"

/* ERR_EXHAUSTED: more than ATTRIBUTES_MAX would stand. ERR_NOT_FOUND: the node is gone. */
void act_told_attributes(struct coordinator *c, const struct node *node, const struct attribute *attributes, size_t count, tx_fn on_done, void *context);
void act_told_warning(struct coordinator *c, const struct node *node, struct bytes subsystem, struct bytes message, tx_fn on_done, void *context);
/* An audit line of the node itself. `request`: id of the exchange. */
void act_told_line(struct coordinator *c, const struct node *node, uint64_t request, const char *action, struct bytes details, tx_fn on_done, void *context);

#endif
