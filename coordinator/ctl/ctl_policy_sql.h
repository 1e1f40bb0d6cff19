/* The verbs of the policy that go past the coordinators, straight to PostgreSQL, with the checks that those make.
 * Not for daily use: the role that is needed may do everything. Running coordinators and mappers see what was written within their `recheck`, or at once when
 * FLEETSCALE_REDIS_URL is set.
 * Told and shown as other verbs do. The database is --database or FLEETSCALE_DATABASE_URL; the tailnet --tailnet, usually `default`. */
#ifndef CTL_POLICY_SQL_H
#define CTL_POLICY_SQL_H

#include "ctl.h"

#define CTL_PAST_SERVER "bypass-server-and-access-database-directly"
#define CTL_PAST_SERVER_FLAGS \
	{CTL_PAST_SERVER, 0, false, CTL_SWITCH, NULL, NULL, "do it in PostgreSQL, without a coordinator"}, \
	{ \
		"database", 0, false, CTL_TEXT, "URL", NULL, "where that is (usual: FLEETSCALE_DATABASE_URL)" \
	}

void ctl_policy_sql_get(struct ctl *c);
void ctl_policy_sql_check(struct ctl *c, const char *text);
/* note, if_version: NULL when not given. */
void ctl_policy_sql_set(struct ctl *c, const char *text, const char *note, const char *if_version);

#endif
