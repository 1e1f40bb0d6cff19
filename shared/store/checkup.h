/* What an operator wants to know of the database: is it there, which one is it, how old is its schema, how far behind is it. Blocking.
 * Not the check of programs (pg.h); a role that may log in suffices. Plain values. */
#ifndef CHECKUP_H
#define CHECKUP_H

#include "clock.h"
#include "err.h"

enum { CHECKUP_TEXT_MAX = 64 };

struct checkup {
	char version[CHECKUP_TEXT_MAX]; /* of the server: "15.9" */
	char role[CHECKUP_TEXT_MAX];    /* that we are */
	bool unbound;                   /* the role is a superuser or bypasses row-level security */
	bool standby;
	int64_t lag_ms;  /* of a standby: age of what it last replayed; -1: not known */
	struct wall now; /* the server's clock */
};

/* ERR_UNAVAILABLE: `why` has libpq's words. */
MUST_USE enum err checkup_database(const char *url, struct checkup *found, struct diag *why);

#endif
