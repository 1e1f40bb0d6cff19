/* headscale API v1, nodes: JSON <-> act_node and store/nodes. No rules of its own. */
#ifndef V1_NODE_H
#define V1_NODE_H

#include "exchange.h"

void v1_node_list(struct exchange *x);
void v1_node_get(struct exchange *x);
void v1_node_delete(struct exchange *x);
void v1_node_expire(struct exchange *x);
void v1_node_rename(struct exchange *x);
void v1_node_tags(struct exchange *x);
void v1_node_approve_routes(struct exchange *x);
/* Answers with the node as it stands now. */
void v1_node_show(struct exchange *x, uint64_t id, const char *detail);

#endif
