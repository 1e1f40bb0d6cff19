/* A recorded case: a tailnet as its policy sees it, read from a file of the corpus.
 * Not what was recorded of its answers (compare.h). Texts are borrowed from the JSON value, which must live as long.
 * Everything else lives in the arena. Form: integration/corpus/cases/README.md. */
#ifndef CASES_H
#define CASES_H

#include <jansson.h>

#include "roll.h"

struct recorded {
	json_t *json;
	struct bytes policy;
	struct bytes *domains;
	struct roll roll;
	const char **names; /* of nodes, by slot */
	struct node *nodes; /* by slot: as roll.nodes, to be changed */
	struct user *users;
	bool auto_updates;
};

/* ERR_MALFORMED with the member that is missing or of a wrong kind. */
MUST_USE enum err recorded_read(struct arena *arena, json_t *json, struct recorded *out, struct diag *why);

#endif
