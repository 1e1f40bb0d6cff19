/* Our own resources about joining: auth keys with all that they have, pending logins and checks of SSH rules, approval of nodes. JSON <-> act_* and store; no rules of their own.
 * Source: docs/protocol/admin.md. */
#ifndef OWN_JOINING_H
#define OWN_JOINING_H

#include "exchange.h"

void own_authkeys_list(struct exchange *x);
void own_authkeys_create(struct exchange *x);
void own_logins_list(struct exchange *x);    /* those that wait and were begun under this tailnet's login host */
void own_sshchecks_list(struct exchange *x); /* sign-ins that SSH rules ask for, and that wait */
void own_node_approve(struct exchange *x);

#endif
