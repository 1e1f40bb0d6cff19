/* The table of node attributes: what a node, or an administrator, says of it: key -> JSON scalar.
 * Not what they mean to the policy. Functions with a struct tx add a statement for the transaction's tailnet and return its number.
 * Rows read live in the caller's arena. */
#ifndef ATTRIBUTES_H
#define ATTRIBUTES_H

#include "attribute.h"
#include "nodes.h"

struct attribute {
	struct bytes key;
	struct bytes value; /* JSON: a text, a number, true or false; empty when setting: the attribute goes */
	struct wall updated;
	struct wall expiry; /* WALL_ZERO: never */
	bool given;         /* by an administrator: the node itself cannot change it */
	struct bytes note;
};

/* A node's own; those that are not named stay. ERR_DENIED: an administrator gave one of them. ERR_NOT_FOUND: the node is gone. ERR_EXHAUSTED: more than ATTRIBUTES_MAX would stand. */
unsigned attributes_set(struct tx *tx, uint64_t node, const struct attribute *attributes, size_t count);
/* An administrator's: key, value, expiry and note. ERR_NOT_FOUND, ERR_EXHAUSTED. */
unsigned attributes_give(struct tx *tx, uint64_t node, const struct attribute *attribute);
unsigned attributes_drop(struct tx *tx, uint64_t node, struct bytes key); /* whoever set it. ERR_NOT_FOUND: no such node, or it has none */
/* Those that stand, by key. */
unsigned attributes_list(struct tx *tx, uint64_t node);
size_t attributes_read(struct tx *tx, unsigned statement, struct arena *arena, struct attribute **out);

/* Nodes with attributes that have ended; over all tailnets, at most `limit` attributes. */
void attributes_find_ended(struct pg *pg, struct wall now, unsigned limit, nodes_due_fn on_found, void *context);
/* Ends what has by `now`, with a journal line for each of the nodes that had any. */
unsigned attributes_end(struct tx *tx, const uint64_t *nodes, size_t count, struct wall now);

/* What rules ask for: an attribute of a node with its value as plain text ("linux", "2", "true"). */
struct attribute_fact {
	uint64_t node;
	struct bytes key, value;
};
unsigned attributes_facts(struct tx *tx);                       /* of the whole tailnet, by node and key; those that stand */
unsigned attributes_facts_since(struct tx *tx, uint64_t known); /* of nodes that journal lines after that generation name */
size_t attributes_read_facts(struct tx *tx, unsigned statement, struct arena *arena, struct attribute_fact **out);

#endif
