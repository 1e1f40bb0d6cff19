/* Scopes of API keys: what a key may read and write. A write scope contains its :read; `all` and `all:read` contain every one.
 * Not who asks (guard.h). Plain values. */
#ifndef SCOPE_H
#define SCOPE_H

#include "bytes.h"
#include "err.h"

enum scope {
	SCOPE_NODES,    /* nodes, their routes and attributes, pending logins */
	SCOPE_USERS,    /* users */
	SCOPE_AUTHKEYS, /* auth keys */
	SCOPE_APIKEYS,  /* API keys */
	SCOPE_SETTINGS, /* settings of the tailnet */
	SCOPE_POLICY,   /* the policy of the tailnet */
	SCOPE_AUDITS,   /* audits; there is only audits:read */
	SCOPE_OPERATOR, /* tailnets, relays, keys and audits of the installation: operator keys alone */
	SCOPE_COUNT
};

/* A bit per scope; what may be written may be read. */
struct scopes {
	unsigned read, write;
};

enum { SCOPES_MAX = 32 };

/* ERR_MALFORMED names what is no scope; an empty list is none. */
MUST_USE enum err scopes_parse(const struct bytes *names, size_t count, struct scopes *scopes, struct diag *why);
struct scopes scopes_all(void);
bool scopes_allow(struct scopes scopes, enum scope scope, bool writes);
/* Can `outer` do all that `inner` can? */
bool scopes_contain(struct scopes outer, struct scopes inner);
/* "nodes", "nodes:read" */
const char *scope_name(enum scope scope, bool writes);

#endif
