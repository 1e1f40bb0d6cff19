/* headscale API v1, pre-auth keys: JSON <-> act_authkey and store/authkeys. No rules of its own. */
#ifndef V1_PREAUTHKEY_H
#define V1_PREAUTHKEY_H

#include "authkey.h"
#include "exchange.h"
#include "jsonw.h"
#include "user.h"

void v1_preauthkey_list(struct exchange *x);
void v1_preauthkey_create(struct exchange *x);
void v1_preauthkey_expire(struct exchange *x);
void v1_preauthkey_delete(struct exchange *x);

/* A PreAuthKey object, masked unless the secret is given; null when `key` is NULL. */
void v1_preauthkey_write(struct jsonw *w, const char *name, const struct authkey *key, const struct user *user, const char *secret);

#endif
