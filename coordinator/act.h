/* What all writes share: who acts, the commit, the bell, the audit line.
 * Not the writes themselves (act_node.h, act_user.h ...). Every write of a coordinator ends in act_commit.
 * An actor lives as long as the exchange that it came from. */
#ifndef ACT_H
#define ACT_H

#include "coordinator.h"
#include "tx.h"

/* NULL stands for the node itself or for time: those leave no audit line. */
struct actor {
	const char *name;       /* "operator", "apikey", "socket", "node" */
	const char *credential; /* prefix of the key, or NULL */
	uint64_t tailnet;       /* the tailnet acted on */
	uint64_t request;       /* id of the exchange */
};

/* Runs the transaction and rings for its generation, then answers as tx_fn does. */
void act_commit(struct coordinator *c, struct tx *tx, tx_fn on_done, void *context);
/* A text that people read: ERR_MALFORMED names it when it has more than `max` bytes or control characters. */
MUST_USE enum err act_check_text(struct bytes text, const char *name, size_t max, struct diag *why);
/* Adds the audit line; BEFORE the statements of the deed, for it notes what they find (store/audits.h). The action begins with the subject's kind.
 * detail: what no state shows (act_detail), or NULL. */
void act_audit(struct tx *tx, const struct actor *actor, const char *action, uint64_t subject, const char *detail);
/* The same for what has no id yet: by what it is unique by in its kind (name of a user, a tailnet, a relay; prefix of a key; hash of a login in hex). */
void act_audit_named(struct tx *tx, const struct actor *actor, const char *action, struct bytes name);
/* A line of what somebody asked and was refused, in a transaction of its own. Nobody waits for it; past a bound none is written, and the log says so. */
void act_audit_refusal(struct coordinator *c, const struct actor *actor, const char *action, const char *detail);
/* {"MEMBER":"VALUE"} in the transaction's arena. Never a secret. */
const char *act_detail(struct tx *tx, const char *member, struct bytes value);

#endif
