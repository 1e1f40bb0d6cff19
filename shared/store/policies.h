/* The table of policies: text and history of what a tailnet allows. The greatest version is in force; a tailnet without any is open.
 * Not what a policy means (policy/document.h). Functions with a struct tx add a statement for the transaction's tailnet and return its number.
 * Rows read live in the caller's arena. */
#ifndef POLICIES_H
#define POLICIES_H

#include "tx.h"

enum { POLICIES_KEPT = 1000, POLICY_NOTE_MAX = 1024 };

struct policy_row {
	uint64_t version;
	struct bytes text; /* as it was written; {0} in a history */
	uint64_t size;     /* of the text */
	struct bytes author, note;
	struct wall created;
};

/* With text. */
unsigned policies_newest(struct tx *tx);                       /* one row or none */
unsigned policies_get(struct tx *tx, uint64_t version);        /* one row or none */
unsigned policies_newest_since(struct tx *tx, uint64_t known); /* one row if a journal line after that generation says that it is another, or none */
/* Without text, newest first: those before that version (0: all). */
unsigned policies_history(struct tx *tx, uint64_t before, unsigned limit);
size_t policies_read(struct tx *tx, unsigned statement, struct arena *arena, struct policy_row **out);

enum { POLICY_ANY_VERSION = -1 };
/* The next version, if the present one is `expected` (0: there is none) or that is POLICY_ANY_VERSION; ERR_CONFLICT: it is not. Takes text, author and note.
 * Equal text is a new version too. The oldest past POLICIES_KEPT go. */
unsigned policies_put(struct tx *tx, const struct policy_row *policy, int64_t expected);
uint64_t policies_read_put(const struct tx *tx, unsigned statement); /* in its answer: the version */

#endif
