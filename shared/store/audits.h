/* The table of audits: who did what through the admin doors, and who was refused. Lines are only ever added.
 * Not a log. A line of a tailnet is seen in a transaction of that tailnet; the operator's own deeds are lines of tailnet 0.
 * Rows read live in the caller's arena. */
#ifndef AUDITS_H
#define AUDITS_H

#include "tx.h"

struct audit {
	uint64_t id, tailnet;
	struct wall at;
	struct bytes actor;         /* "operator", "apikey", "socket", "node" */
	struct bytes credential;    /* prefix of the key, id of the node, or empty */
	struct bytes request;       /* id of the exchange, as logs have it */
	struct bytes action;        /* "node.rename": kind of the subject first */
	uint64_t subject;           /* id of what was changed; 0: none */
	struct bytes name;          /* of a subject that has no id yet: what it is unique by (user name, key prefix, ...) */
	struct bytes detail;        /* JSON object, or empty */
	bool refused;               /* was not done */
	struct bytes before, after; /* JSON objects of the members that differ; empty: it was not there */
};

/* Part of the transaction that it tells of, added before the deed: notes what stands. The line is written at the end, with what stands then.
 * Takes actor, credential, request, action, subject or name, detail. Kinds that have states: node, user, authkey, apikey, tailnet (and settings), relay, login. */
void audits_open(struct tx *tx, const struct audit *audit);
/* A line of something that was not done. Takes actor, credential, request, action, detail. */
unsigned audits_refuse(struct tx *tx, const struct audit *audit);
/* Who is at the database, as credential of what is done past the coordinators. */
unsigned audits_session(struct tx *tx);
struct bytes audits_read_session(const struct tx *tx, unsigned statement);
/* Newest first; before: id from which on to go back, 0 = from the newest. A line may be large: none behind the one whose texts pass `bytes` in all. */
unsigned audits_list(struct tx *tx, uint64_t before, unsigned limit, size_t bytes);
size_t audits_read(struct tx *tx, unsigned statement, struct arena *arena, struct audit **out);

#endif
