/* The table of node attributes: what a node, or later an administrator, says of it: key -> JSON scalar.
 * Not what they mean to the policy. Functions with a struct tx add a statement for the transaction's tailnet and return its number.
 * Rows read live in the caller's arena. */
#ifndef ATTRIBUTES_H
#define ATTRIBUTES_H

#include "attribute.h"
#include "tx.h"

struct attribute {
	struct bytes key;
	struct bytes value; /* JSON: a text, a number, true or false; empty when setting: the attribute goes */
	struct wall updated;
};

/* Those that are not named stay. ERR_NOT_FOUND: the node is gone. ERR_EXHAUSTED: more than ATTRIBUTES_MAX would stand. */
unsigned attributes_set(struct tx *tx, uint64_t node, const struct attribute *attributes, size_t count);
unsigned attributes_list(struct tx *tx, uint64_t node); /* by key */
size_t attributes_read(struct tx *tx, unsigned statement, struct arena *arena, struct attribute **out);

/* What rules ask for: an attribute of a node with its value as plain text ("linux", "2", "true"). */
struct attribute_fact {
	uint64_t node;
	struct bytes key, value;
};
unsigned attributes_facts(struct tx *tx);                       /* of the whole tailnet, by node and key */
unsigned attributes_facts_since(struct tx *tx, uint64_t known); /* of nodes that journal lines after that generation name */
size_t attributes_read_facts(struct tx *tx, unsigned statement, struct arena *arena, struct attribute_fact **out);

#endif
