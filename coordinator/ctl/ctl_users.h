/* Users by the name or id that people type.
 * Not the verbs of the noun (ctl_nouns.h). Texts are the run's. */
#ifndef CTL_USERS_H
#define CTL_USERS_H

#include "ctl.h"

/* A user's object by decimal id or by name; NULL: none such, or it could not be asked (told). */
const json_t *ctl_user_find(struct ctl *c, const char *id_or_name);
const char *ctl_user_id(const json_t *user);
const char *ctl_user_name(const json_t *user);

#endif
