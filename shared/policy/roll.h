/* A tailnet as its policy sees it: users with roles and outer groups, nodes in slots with the facts that postures ask for.
 * Not rows (store) and not a snapshot (mapper). Everything is borrowed from whoever calls.
 * Pure values. */
#ifndef ROLL_H
#define ROLL_H

#include "document.h"
#include "node.h"
#include "user.h"

struct roll_user {
	const struct user *user;
	unsigned roles;             /* enum role, ored */
	const struct bytes *groups; /* outer groups, "group:x" */
	size_t group_count;
};

/* "node:os" = "linux", "custom:tier" = "2". */
struct roll_fact {
	struct bytes name, value;
};

struct roll_node {
	const struct node *node; /* NULL: an empty slot. Not approved nodes must not stand here */
	const struct roll_fact *facts;
	size_t fact_count;
};

struct roll {
	const struct roll_user *users; /* by id */
	size_t user_count;
	const struct roll_node *nodes; /* by slot */
	size_t node_count;
	const struct bytes *domains; /* associated with the tailnet */
	size_t domain_count;
};

/* NULL when unknown. */
const struct roll_user *roll_user(const struct roll *roll, uint64_t id);
/* Whether the alias text (a login with @, trimmed) means this user: its e-mail, else its name; "odin@" means the name. */
bool roll_is_login(const struct user *user, struct bytes login);

/* Advertised and approved, masked, without 0.0.0.0/0 and ::/0, sorted, unique; `out` has room for approved_count. */
size_t roll_subnet_routes(const struct node *node, struct prefix *out);
bool roll_is_exit(const struct node *node); /* an exit route is advertised and approved */

#endif
