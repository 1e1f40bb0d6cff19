/* What the policy in force says of one SSH connection: permitted, checked, recorded where. Read and judged anew each time, on the nodes that matter alone.
 * Not the answer to a client (serve_sshaction.h) and not the rules (policy/sshrule.h).
 * What is found lives in the caller's arena. A large policy is judged on a helper thread when it is its tailnet's turn (turns.h); the arena is the judge's own until
 * the answer. */
#ifndef SSHJUDGE_H
#define SSHJUDGE_H

#include "coordinator.h"
#include "sshaction.h"
#include "sshchecks.h"
#include "sshquestion.h"

struct sshjudge_found {
	const struct node *source, *destination; /* of that tailnet; NULL: it has none of that id */
	const char *refusal;                     /* why not; NULL: permitted */
	bool check;
	int64_t period_ms;                      /* of a check rule: below 0: always */
	struct ssh_action accept;               /* what permits it finally */
	int64_t signin_age_ms;                  /* below 0: none */
	const struct sshchecks_found *followed; /* what the question follows up; NULL: none of this tailnet */
};

/* Once, later. ERR_EXHAUSTED, ERR_UNAVAILABLE: many are judged at this moment. ERR_CANCELED: the worker ends. */
typedef void (*sshjudge_fn)(void *context, enum err e, const struct sshjudge_found *found);
void sshjudge(struct coordinator *c, uint64_t tailnet, const struct sshquestion *question, struct arena *arena, sshjudge_fn on_judged, void *context);

#endif
