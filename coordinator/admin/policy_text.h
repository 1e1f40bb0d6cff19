/* What both dialects of the policy's API share: why a text was refused, as an answer; a text as body; a census for those that only try one.
 * Not the writes (act_policy.h). */
#ifndef POLICY_TEXT_H
#define POLICY_TEXT_H

#include "problem.h"
#include "trial.h"
#include "turns.h"

enum { POLICY_BODY_MAX = DOCUMENT_MAX, POLICY_JSON_MAX = 2 * DOCUMENT_MAX };

/* 400 with the sentence and the place ("line 3, column 5"); of failed tests with each assertion; 429 when too many of the tailnet wait. Else as
 * problem_reply_err. */
void policy_text_refuse(struct exchange *x, enum err e, const char *detail, const struct diag *why, const struct selftest *tests);

/* On false 400 was answered: the body is empty, which is rather a slip than a policy. */
bool policy_text_given(struct exchange *x, const char *detail);

/* A text that is tried on the tailnet as it stands, off the loop. */
struct policy_trial {
	struct exchange *x;
	const char *detail;
	bool stored;       /* the policy in force, read leniently, instead of `text` */
	bool tested;       /* with its tests, which must pass */
	struct bytes text; /* must live as long as the exchange */
	/* On a helper thread, on the compiled policy: touches nothing but the trial, census, the exchange's arena and `asked`. NULL: nothing. Not called when the
	 * text was refused. */
	enum err (*work)(struct policy_trial *p, struct diag *why);
	/* Answers, with the policy ended. Not called when something was refused: that was answered. */
	void (*on_tried)(struct policy_trial *p);
	void *asked;
	const struct census *census;
	struct trial trial;
	struct turn turn;
	enum err tried;
	struct diag why;
};

void policy_trial_run(struct policy_trial *p);
/* The member `warning`: what is wrong with the policy in force, or null. */
void policy_trial_warn(struct policy_trial *p, struct jsonw *w);

#endif
