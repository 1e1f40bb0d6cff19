/* Our API of the policy: the text itself with its ETag, its history, and what it would mean.
 * Bodies and answers that are a policy are the text as it was written (application/hujson), not JSON around it.
 * Not the rules: policy/ and act_policy.h. */
#ifndef OWN_POLICY_H
#define OWN_POLICY_H

#include "exchange.h"

void own_policy_get(struct exchange *x);
void own_policy_put(struct exchange *x); /* ?note= */
void own_policy_check(struct exchange *x);
void own_policy_test(struct exchange *x); /* of the text, or of the policy in force when there is none */
void own_policy_history(struct exchange *x);
void own_policy_version(struct exchange *x);
void own_policy_rollback(struct exchange *x);
void own_policy_explain(struct exchange *x);
void own_policy_preview(struct exchange *x);

#endif
