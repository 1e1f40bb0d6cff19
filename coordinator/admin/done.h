/* A write whose answer is {}: commit, ring, answer. Not the write itself (act_*).
 * `detail` is static text: what was being done, for a refusal. The transaction is handed over. */
#ifndef DONE_H
#define DONE_H

#include "act.h"

void done_commit(struct exchange *x, struct tx *tx, const char *detail);

#endif
