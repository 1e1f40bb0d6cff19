/* The table of node warnings: what a client says is wrong with it, by its subsystem, the latest of each.
 * Not what a server warns a client of (settings, maps). Functions with a struct tx add a statement for the transaction's tailnet and return its number.
 * Rows read live in the caller's arena. */
#ifndef WARNINGS_H
#define WARNINGS_H

#include "tx.h"

enum { WARNINGS_MAX = 32, WARNING_SUBSYSTEM_MAX = 64, WARNING_MESSAGE_MAX = 1024 };

struct warning {
	uint64_t node;
	struct bytes subsystem, message;
	struct wall since; /* it says so in these words */
};

/* An empty message clears. ERR_NOT_FOUND: the node is gone. Past WARNINGS_MAX of a node further subsystems are passed over. */
unsigned warnings_set(struct tx *tx, uint64_t node, struct bytes subsystem, struct bytes message);
unsigned warnings_list(struct tx *tx, uint64_t node); /* by node, then subsystem; 0: of all nodes */
size_t warnings_read(struct tx *tx, unsigned statement, struct arena *arena, struct warning **out);

#endif
