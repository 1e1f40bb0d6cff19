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

/* headscale 0.30 shows two members by the operation: the user of a tagged node, and subnetRoutes. */
enum v1_node_form {
	V1_NODE_ALONE,   /* no user, no subnet routes */
	V1_NODE_LISTED,  /* the pseudo user; what it serves, exit routes too */
	V1_NODE_APPROVED /* no user; what it serves without exit routes */
};

void v1_node_write(struct jsonw *w, const char *name, const struct node *node, const struct v1_roll *roll, bool online, enum v1_node_form form);
/* The members alone, inside an object that the caller began. */
void v1_node_write_members(struct jsonw *w, const struct node *node, const struct v1_roll *roll, bool online, enum v1_node_form form);

#endif
