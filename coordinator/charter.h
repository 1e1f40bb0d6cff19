/* The policy in force as joining asks it: which tags somebody may have, which exist, from which pools an address comes.
 * Not compiled, and not for what nodes may do (mapper). A document is read once per version, on a helper thread, and kept within a bound; the version is asked anew
 * each time. What an answer shows is borrowed until it returns. */
#ifndef CHARTER_H
#define CHARTER_H

#include "admission.h"
#include "coordinator.h"
#include "policy.h"

struct charter {
	bool none;                       /* the tailnet has no policy */
	const struct document *document; /* NULL: none, or one that cannot be read: it gives nobody anything */
	struct roll roll;                /* the one user asked for, and the tailnet's domains */
};

struct charters *charters_new(void);
void charters_free(struct charters **charters); /* while the database can still take answers back; what waits is answered ERR_CANCELED */

typedef void (*charter_fn)(void *context, enum err e, const struct charter *charter);
/* Once, later. user: whose rights matter; 0: nobody's. ERR_NOT_FOUND: no such tailnet. charter is NULL on error. */
void charter_ask(struct coordinator *c, uint64_t tailnet, uint64_t user, charter_fn on_read, void *context);

/* For admission; borrows the charter. */
struct tag_rights charter_rights(const struct charter *charter);
/* Pools for a node that joins: of this user, or with these tags. */
size_t charter_pools(const struct charter *charter, const struct node *node, const struct prefix **pools);
/* ERR_MALFORMED, naming those that the policy does not define. Without a policy any may be used. */
MUST_USE enum err charter_check_tags(const struct charter *charter, const struct bytes *tags, size_t count, struct diag *why);
/* Known without asking: that version of the tailnet's policy (0: none) gives no pools. */
bool charter_lacks_pools(const struct charters *charters, uint64_t tailnet, uint64_t version);

#endif
