/* Intrusive doubly linked list.
 * Not owning: members are embedded in structs that others own.
 * A member is on at most one list per link; an unlinked link points to itself. */
#ifndef LIST_H
#define LIST_H

#include <assert.h>
#include <stdbool.h>

#include "mem.h"

struct list {
	struct list *next, *prev;
};

static inline void list_init(struct list *l)
{
	l->next = l->prev = l;
}
static inline bool list_empty(const struct list *l)
{
	return l->next == l;
}
static inline bool list_linked(const struct list *member)
{
	return member->next && member->next != member;
}

static inline void list_insert_between(struct list *member, struct list *prev, struct list *next)
{
	member->prev = prev;
	member->next = next;
	prev->next = next->prev = member;
}

static inline void list_append(struct list *l, struct list *member)
{
	list_insert_between(member, l->prev, l);
}

/* Legal on an unlinked member, which must have been list_init'ed or linked before. */
static inline void list_remove(struct list *member)
{
	member->prev->next = member->next;
	member->next->prev = member->prev;
	list_init(member);
}

static inline struct list *list_head(const struct list *l)
{
	assert(!list_empty(l));
	return l->next;
}

/* Of a list that has members. */
#define LIST_HEAD(l, type, member) OWNER_OF(list_head(l), type, member)
/* NULL: it has none. */
#define LIST_FIRST(l, type, member) (list_empty(l) ? NULL : OWNER_OF((l)->next, type, member))
/* The current element may be removed inside the loop, others may not. */
#define LIST_EACH(l, item, type, member) \
	for (type *item = OWNER_OF((l)->next, type, member), *item##_next = OWNER_OF(item->member.next, type, member); &item->member != (l); \
	     item = item##_next, item##_next = OWNER_OF(item->member.next, type, member))

#endif
