/* headscale's API of the policy: get, set, check. JSON <-> act_policy.
 * Not our own (own_policy.h), which has versions. Source: docs/protocol/admin.md (headscale 0.30 API v1). */
#ifndef V1_POLICY_H
#define V1_POLICY_H

#include "exchange.h"

void v1_policy_get(struct exchange *x);
void v1_policy_set(struct exchange *x);
void v1_policy_check(struct exchange *x);

#endif
