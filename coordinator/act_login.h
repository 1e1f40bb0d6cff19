/* All answers to interactive logins: find, decide, one transaction, ring whoever holds it.
 * Not deciding (fleet/admission.h) and not holding (serve_login.h). Each answers exactly once, never before it returned.
 * ERR_NOT_FOUND: unknown, ended, another tailnet's; ERR_CONFLICT: answered already; ERR_DENIED, ERR_EXHAUSTED: the tailnet admits none. `why` is a sentence. */
#ifndef ACT_LOGIN_H
#define ACT_LOGIN_H

#include "act_node.h"
#include "loginid.h"

/* The machine joins as `user`, or its node of that user is renewed. user empty: its node is renewed and stays whose it is; ERR_MALFORMED when it has none. */
void act_login_register(struct coordinator *c, const struct actor *actor, const struct login_id *id, struct bytes user, act_node_fn on_done, void *context);
/* The client shows its user a sentence of ours. The node of the answer is NULL. */
void act_login_reject(struct coordinator *c, const struct actor *actor, const struct login_id *id, act_node_fn on_done, void *context);
/* Test helper of headscale's API: a login that no machine began, of a machine of that name. */
void act_login_make_up(struct coordinator *c, const struct actor *actor, const struct login_id *id, struct bytes user, struct bytes name,
		       const struct prefix *routes, size_t count, act_node_fn on_done, void *context);

#endif
