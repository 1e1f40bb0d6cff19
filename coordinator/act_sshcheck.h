/* All writes to checks of SSH rules: begin, approve, reject; then ring whoever holds it.
 * Not what a check decides (fleet/sshcheck.h) and not holding (serve_sshaction.h). Each answers exactly once, never before it returned; `why` is a sentence.
 * Whoever signs people in approves here: an administrator now. */
#ifndef ACT_SSHCHECK_H
#define ACT_SSHCHECK_H

#include "act.h"
#include "sshchecks.h"

typedef void (*act_sshcheck_fn)(void *context, enum err e, const struct diag *why);

/* The node's own. ERR_EXHAUSTED: many wait. ERR_NOT_FOUND: a node went meanwhile. */
void act_sshcheck_begin(struct coordinator *c, uint64_t tailnet, const struct login_id *id, const struct sshcheck_login *login, act_sshcheck_fn on_done,
			void *context);
/* ERR_NOT_FOUND: unknown, ended, another tailnet's; ERR_CONFLICT: answered already. */
void act_sshcheck_answer(struct coordinator *c, const struct actor *actor, const struct login_id *id, bool approved, act_sshcheck_fn on_done, void *context);

#endif
