/* headscale API v1, users: JSON <-> act_user and store/users. No rules of its own. */
#ifndef V1_USER_H
#define V1_USER_H

#include "exchange.h"
#include "jsonw.h"
#include "user.h"

void v1_user_list(struct exchange *x);
void v1_user_create(struct exchange *x);
void v1_user_delete(struct exchange *x);
void v1_user_rename(struct exchange *x);

/* A User object; null when `user` is NULL. */
void v1_user_write(struct jsonw *w, const char *name, const struct user *user);
/* users: by id, as users_list has them. NULL when there is none. */
const struct user *v1_user_find(const struct user *users, size_t count, uint64_t id);

#endif
