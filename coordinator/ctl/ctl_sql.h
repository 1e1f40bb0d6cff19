/* Verbs that need only the database: --database URL, or `env`. Told and shown as other verbs do.
 * Not the SQL (store/breakglass.h). Texts are the run's. */
#ifndef CTL_SQL_H
#define CTL_SQL_H

#include "ctl.h"

/* The URL that is meant; NULL: told. */
const char *ctl_sql_url(struct ctl *c, const char *url_or_env);
/* member: "frozen" or "suspended". */
void ctl_sql_tailnet_state(struct ctl *c, const char *url_or_env, const char *name, const char *member, bool on);
/* Prints the new key. reset: every other key of the operator ends. */
void ctl_sql_operator(struct ctl *c, const char *url_or_env, bool reset);

#endif
