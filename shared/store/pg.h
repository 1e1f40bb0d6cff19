/* PostgreSQL connections of one loop: a small pool, non-blocking, pipeline mode, unnamed statements only (safe behind a transaction pooler).
 * Not transactions (tx.h). Reconnects by itself with backoff; work waits in line, bounded in number and time.
 * The worker owns the pool. */
#ifndef PG_H
#define PG_H

#include "loop.h"

struct pg;

struct pg_config {
	const char *url; /* libpq conninfo or URI; target_session_attrs=read-write is added for coordinators by `writer` */
	bool writer;
	unsigned connections; /* 2 to 4 */
	unsigned waiting_max; /* transactions in line; past it ERR_UNAVAILABLE at once */
	int64_t timeout_ms;   /* from asking to answer, waiting in line included */
};

struct pg *pg_new(struct loop *loop, const struct pg_config *config);
void pg_free(struct pg **pg); /* what is open answers ERR_CANCELED first */
/* Schema of the database against ours: ERR_NONE, or ERR_UNSUPPORTED with a sentence (too old: run `fleetscale migrate`; too new). Blocking; before the workers start. */
MUST_USE enum err pg_check_schema(const char *url, struct diag *why);
/* NULL while the last try worked, else why not; for readiness. Any thread. */
const char *pg_trouble(void);

#endif
