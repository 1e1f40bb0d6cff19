/* headscale API v1, answers to interactive logins: JSON <-> act_login. No rules of its own. Source: docs/protocol/admin.md. */
#ifndef V1_AUTH_H
#define V1_AUTH_H

#include "exchange.h"

void v1_auth_approve(struct exchange *x);
void v1_auth_reject(struct exchange *x);
void v1_auth_register(struct exchange *x);
void v1_node_register(struct exchange *x); /* its older form */
void v1_debug_node(struct exchange *x);    /* a login that no machine began */
void v1_node_backfill_ips(struct exchange *x);

#endif
