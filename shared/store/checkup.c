#include "checkup.h"

#include <stdio.h>

#include "pgblock.h"
#include "text.h"

static void take_text(const struct pgblock *p, int column, char out[static CHECKUP_TEXT_MAX])
{
	snprintf(out, CHECKUP_TEXT_MAX, "%.*s", BYTES_ARG(bytes_take(pgblock_text(p, 0, column), CHECKUP_TEXT_MAX - 1)));
}

static bool take_flag(const struct pgblock *p, int column)
{
	return bytes_equal_text(pgblock_text(p, 0, column), "t");
}

enum err checkup_database(const char *url, struct checkup *found, struct diag *why)
{
	struct pgblock *p;
	int64_t us = 0;
	enum err e = pgblock_open(url, &p, why);

	*found = (struct checkup){.lag_ms = -1};
	if (!e)
		/* A standby that has replayed all is not behind, however long ago that was. */
		e = pgblock_run(p,
				"SELECT split_part(current_setting('server_version'), ' ', 1), session_user, "
				"(SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = session_user), pg_is_in_recovery(), "
				"CASE WHEN pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() THEN 0 "
				"ELSE (extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp()) * 1000)::bigint END, "
				"(extract(epoch FROM clock_timestamp()) * 1000000)::bigint",
				0, NULL, why);
	if (!e) {
		take_text(p, 0, found->version);
		take_text(p, 1, found->role);
		found->unbound = take_flag(p, 2);
		found->standby = take_flag(p, 3);
		if (text_parse_i64(pgblock_text(p, 0, 4), &found->lag_ms))
			found->lag_ms = -1;
		if (!text_parse_i64(pgblock_text(p, 0, 5), &us))
			found->now = (struct wall){us * 1000};
	}
	pgblock_close(&p);
	return e;
}
