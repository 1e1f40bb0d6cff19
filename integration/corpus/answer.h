/* What the policy engine says to a case, in the form of the corpus.
 * Not the comparison (compare.h). The value returned is the caller's.
 * Form: integration/corpus/cases/README.md; docs/protocol/policy.md, section 19 for the capabilities that no policy gives. */
#ifndef ANSWER_H
#define ANSWER_H

#include "cases.h"

/* {"status", "error", "approved_routes": {node: [...]}, "expect": {node: {...}} or null, "answers": [...] when the case has "questions"} */
/* "answers": true, false, or null where the question is none. */
json_t *answer_of(struct arena *arena, const struct recorded *recorded);
/* As much of the text from its beginning as is UTF-8. */
json_t *answer_text(const char *text);

#endif
