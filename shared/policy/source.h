/* Sources of filter rules from what their aliases mean; equal lists are one source.
 * Not destinations (policy.c, filter.c). Private to the module; sources live in the arena of the policy.
 * Source: docs/protocol/policy.md, section 8.2. */
#ifndef SOURCE_H
#define SOURCE_H

#include "resolve.h"

/* `list` is sorted by number in place, and what it holds twice is dropped. */
struct source *source_make(struct resolver *r, struct known **list, size_t count);
/* Fills texts when they are not there. */
void source_texts(struct resolver *r, const struct source *source);
/* A node's address comes to, or goes from, a source that has the node by one of its identity aliases; whether that changed its texts.
 * After the edit of the alias itself. */
bool source_put(struct resolver *r, struct source *source, struct ip ip);
bool source_take(struct resolver *r, struct source *source, struct ip ip);
/* Whether an identity alias of the source has the node. */
bool source_has_node(const struct source *source, uint32_t slot);
/* Whether the source stands for a list of aliases that would come to something else, if names (by number) were those of the node with these addresses. */
bool source_parts(const struct source *source, const struct bitset *names, const struct ip ip[static 2]);
/* Whether one of its names is among these; and whether the node in that slot stands in one of its aliases. */
bool source_names(const struct source *source, const struct bitset *names);
bool source_holds(const struct source *source, uint32_t slot);
/* Whether two sources come to the same. */
bool source_equal(const struct source *a, const struct source *b);
void sources_clear(struct policy *policy);

#endif
