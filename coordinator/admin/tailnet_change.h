/* One change of a tailnet's row through the admin doors: read it whole, apply what was asked, check it as a whole, write it, and again when another change came
 * between. Not the members asked for: `apply` sets them. The change and what it points to live in the exchange's arena. */
#ifndef TAILNET_CHANGE_H
#define TAILNET_CHANGE_H

#include "exchange.h"
#include "jsonw.h"
#include "tailnets.h"

struct tailnet_change {
	struct exchange *x;
	const char *detail, *action; /* what is being done; the audit's word */
	uint64_t tailnet;            /* 0: found by name */
	struct bytes name;
	/* May run several times, each time on a fresh row. ERR_MALFORMED: it contradicts itself. NULL: nothing is changed, only shown. */
	enum err (*apply)(const struct tailnet_change *change, struct tailnets_whole *whole, struct diag *why);
	void (*show)(struct jsonw *w, const struct tailnets_whole *whole); /* the members of the answer; its hash is the ETag */
	void *asked;
	unsigned row, tries;
};

/* Answers: the row as it stands afterwards, or why not. Nothing differs: nothing is told to anybody. */
void tailnet_change_run(struct tailnet_change *change);

#endif
