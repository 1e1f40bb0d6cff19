/* Our API of users: what v1's has no place for, role and outer groups.
 * JSON <-> act_user. */
#ifndef OWN_USERS_H
#define OWN_USERS_H

#include "exchange.h"

void own_users_list(struct exchange *x);
void own_users_update(struct exchange *x);

#endif
