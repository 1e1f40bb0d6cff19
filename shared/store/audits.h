/* The table of audits: who did what through the admin doors. Lines are only ever added.
 * Not a log. A line of a tailnet is seen in a transaction of that tailnet; the operator's own deeds are lines of tailnet 0.
 * Rows read live in the caller's arena. */
#ifndef AUDITS_H
#define AUDITS_H

#include "tx.h"

struct audit {
	uint64_t id, tailnet;
	struct wall at;
	struct bytes actor;  /* "operator:PREFIX", "apikey:PREFIX", "socket" */
	struct bytes action; /* "node.rename" */
	uint64_t subject;    /* id of what was changed; 0: none, or it has none yet */
	struct bytes detail; /* JSON object, or empty */
};

unsigned audits_append(struct tx *tx, const struct audit *audit); /* takes actor, action, subject and detail; part of the transaction that it tells of */
/* Newest first; before: id from which on to go back, 0 = from the newest. */
unsigned audits_list(struct tx *tx, uint64_t before, unsigned limit);
size_t audits_read(struct tx *tx, unsigned statement, struct arena *arena, struct audit **out);

#endif
