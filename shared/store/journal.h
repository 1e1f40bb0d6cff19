/* The journal: what moved since a generation, with the rows as they stand now, in one consistent read.
 * Not the doorbell (bus/notice.h). Read by keepers; written by tx_journal alone.
 * What is read lives in the caller's arena until it ends it. */
#ifndef JOURNAL_H
#define JOURNAL_H

#include "attributes.h"
#include "node.h"
#include "policies.h"
#include "settings.h"
#include "tailnet.h"
#include "tx.h"
#include "user.h"

struct journal_line {
	uint64_t generation;
	enum change_kind kind;
	uint64_t subject;
};

/* Lines after the known generation in order, and the rows they name: a subject without a row is gone. */
struct journal_read {
	uint64_t generation; /* where the tailnet stands */
	uint64_t stamp;      /* random stamp of its last line; goes with the generation */
	struct journal_line *lines;
	size_t line_count;
	struct node *nodes; /* each node named by a line that still exists */
	size_t node_count;
	struct user *users; /* with outer groups */
	size_t user_count;
	struct tailnet *tailnet; /* when a line names it, else NULL; so is the next */
	struct settings *settings;
	struct policy_row *policy;    /* in force, when a line says that it is another; else NULL */
	struct attribute_fact *facts; /* all of each node above, by node and key */
	size_t fact_count;
	bool tailnet_gone;
};

typedef void (*journal_fn)(void *context, enum err e, const struct journal_read *read);
/* ERR_NO_HISTORY: the journal does not reach back, or the stamp at `generation` is another or missing: take a census. */
void journal_since(struct pg *pg, uint64_t tailnet, uint64_t generation, uint64_t stamp, struct arena *arena, journal_fn on_read, void *context);

/* The generations of many tailnets, for the slow re-check: on_read per call once with `count` values in the order asked (0: gone). */
typedef void (*generations_fn)(void *context, enum err e, const uint64_t *generations, size_t count);
void journal_generations(struct pg *pg, const uint64_t *tailnets, size_t count, generations_fn on_read, void *context);

#endif
