/* A snapshot's own copy of a node's row, in one block, and which facets differ between two copies.
 * Not the reading of rows (store) and not their history (snapshot.h).
 * A packed row is ended by free(). */
#ifndef NODEROW_H
#define NODEROW_H

#include "change.h"
#include "node.h"

struct node *noderow_pack(const struct node *row);
/* Facets (enum facet) that peers or the node itself must hear of when `old` becomes `now`. Last seen counts only while offline: nobody is shown it otherwise. */
unsigned noderow_facets(const struct node *old, bool was_expired, const struct node *now, bool is_expired, bool online);
/* Whether a policy sees both alike. */
bool noderow_same_roll(const struct node *a, const struct node *b);
/* Copies `text` to *at, which moves behind it; the copy. */
struct bytes noderow_text(uint8_t **at, struct bytes text);

#endif
