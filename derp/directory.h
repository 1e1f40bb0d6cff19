/* Node key -> the connection that is active for it, on one loop: every key has one home loop, so that no other loop looks.
 * Not the connections: they embed a member. Duplicates of one key live side by side; the one that spoke last gets the packets.
 * Members belong to their connections and leave before those end. Source: docs/protocol/derp.md, duplicate connections. */
#ifndef DIRECTORY_H
#define DIRECTORY_H

#include "key.h"
#include "list.h"
#include "table.h"

struct seat;
struct directory;

struct member {
	struct list link;
	struct seat *seat; /* NULL: not in the directory */
	uint64_t spoke;    /* turn of its last frame within its seat; 0: silent since it came as the second one */
};

/* How the connections of one directory stand, for metrics. */
struct directory_count {
	size_t keys, dup_keys, dup_members;
};

struct directory *directory_new(void);
void directory_free(struct directory **directory); /* must be empty of members */
struct directory_count directory_count(const struct directory *directory);

/* The member becomes the active one of its key. Returns how many its key has now. */
unsigned directory_add(struct directory *directory, const struct node_key *key, struct member *member);
/* The active member, or NULL. */
struct member *directory_find(struct directory *directory, const struct node_key *key);
/* All members of a key, in the order in which they came: take the next one before this one leaves. NULL: no more. */
struct member *directory_first(struct directory *directory, const struct node_key *key);
struct member *directory_after(const struct member *member);
/* Any frame came from it: it becomes the active one. O(1), and next to nothing for a key with one connection. */
void directory_spoke(struct member *member);
/* Of those of its key, the one that has been silent longest and is not `member` itself; NULL when it is alone. */
struct member *directory_stalest(const struct member *member);
/* True when its key has left: it was the last one. Legal on one that is not in. */
bool directory_remove(struct directory *directory, struct member *member);

#endif
