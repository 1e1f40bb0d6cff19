/* headscale API v1, the Node object: what a row, its owner, its key and presence look like together.
 * Not reading them (v1_node.h). */
#ifndef V1_NODEJSON_H
#define V1_NODEJSON_H

#include "authkey.h"
#include "jsonw.h"
#include "node.h"
#include "user.h"

/* What one read of a tailnet found, for writing many nodes; each by id. */
struct v1_roll {
	struct node *nodes;
	struct user *users;
	struct authkey *keys;
	size_t node_count, user_count, key_count;
};

void v1_node_write(struct jsonw *w, const char *name, const struct node *node, const struct v1_roll *roll, bool online);

#endif
