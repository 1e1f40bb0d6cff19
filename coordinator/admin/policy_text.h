/* What both dialects of the policy's API share: why a text was refused, as an answer; a text as body; a census for those that only try one.
 * Not the writes (act_policy.h). */
#ifndef POLICY_TEXT_H
#define POLICY_TEXT_H

#include "problem.h"
#include "trial.h"

enum { POLICY_BODY_MAX = DOCUMENT_MAX, POLICY_JSON_MAX = 2 * DOCUMENT_MAX };

/* 400 with the sentence and the place ("line 3, column 5"); of failed tests with each assertion. Else as problem_reply_err. */
void policy_text_refuse(struct exchange *x, enum err e, const char *detail, const struct diag *why, const struct selftest *tests);

/* On false 400 was answered: the body is empty, which is rather a slip than a policy. */
bool policy_text_given(struct exchange *x, const char *detail);

/* A text that is tried on the tailnet as it stands. */
struct policy_trial {
	struct exchange *x;
	const char *detail;
	bool stored;       /* the policy in force instead of `text` */
	bool tested;       /* with its tests */
	struct bytes text; /* must live as long as the exchange */
	/* Answers. Not called when the text was refused: that was answered. `trial` ends when it returns. */
	void (*on_tried)(struct policy_trial *p, const struct census *census, struct trial *trial);
	void *asked;
};

void policy_trial_run(struct policy_trial *p);

#endif
