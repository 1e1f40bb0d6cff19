/* What aliases mean on a roll: nodes found by users, tags and addresses, each alias looked up once.
 * Not rules (policy.c) and not their texts (source.h). Private to the module.
 * Everything lives in the arena of the policy; bitsets too, so they must not grow. resolver_clear ends the tables. */
#ifndef RESOLVE_H
#define RESOLVE_H

#include "policy.h"
#include "table.h"

/* One address of a node. */
struct address {
	struct ip ip;
	uint32_t slot;
	uint32_t text_rank; /* its place among the texts of all addresses in byte order */
	struct bytes text;
};

enum { ADDRESS_NONE = UINT32_MAX };
#define NO_OWNER UINT64_MAX

/* A meaning and what compiling needs beside it. */
struct known {
	struct meaning meaning;
	const struct alias *alias; /* NULL: cut by postures, or of some nodes of a user */
	const struct known *whole; /* cut by the postures of `rule` */
	const struct rule *rule;
	uint32_t number;
	size_t room;           /* of meaning.spans, once they are a block of the heap (follow.c); 0: in the arena */
	bool identity;         /* nodes, not addresses */
	bool everything;       /* autogroup:danger-all */
	bool wide;             /* may cover a whole family together with others */
	struct bitset own;     /* slots whose own address lies in spans */
	struct bitset routers; /* slots with a subnet route that overlaps spans */
	struct source *source; /* of this alias alone, once made */
	struct prefix *prefixes;
	struct bytes *texts; /* of `prefixes`; of the Internet of its ranges */
	size_t count;        /* both on demand: known_prefixes */
};

struct list32 {
	uint32_t *at;
	size_t count;
};

struct resolver {
	struct policy *policy;
	struct arena *arena;
	size_t words;    /* of a bitset of slots */
	size_t slots;    /* room for so many nodes: bits of `words`; joins need some */
	uint64_t **sets; /* words of every set of slots that was made */
	size_t set_count, set_room;
	struct address *addresses; /* of all nodes, sorted; room for two per slot */
	size_t address_count;
	uint32_t *by_text; /* address numbers in byte order of their texts; until the first join or leave: `ranked` */
	bool ranked;
	uint32_t *entry;       /* [slot * 2] IPv4, [slot * 2 + 1] IPv6: number in addresses or ADDRESS_NONE */
	struct bitset follows; /* addresses that continue the one before */
	struct bitset behind;  /* addresses that lie in some subnet route */
	bool any_behind;
	uint32_t *parent;          /* per route of the policy: the next wider one that holds it, or UINT32_MAX */
	struct list32 *routers;    /* per route: slots */
	struct list32 *user_nodes; /* per user of the roll: slots of its nodes */
	struct list32 *tag_nodes;  /* per tag of the document */
	uint64_t *owner;           /* per slot: id of the user; NO_OWNER of tagged nodes and empty slots */
	bool stale;                /* user_nodes, tag_nodes, logins and outer stand for an earlier roll */
	bool fixed;                /* something here cannot follow a changed roll (follow.h) */
	bool by_user;              /* some rule is for each user alone */
	size_t first_size;         /* of the arena, when a change was followed first */
	struct bitset routing;     /* slots with a subnet route */
	struct bitset all, members;
	struct table *logins;       /* text -> struct login */
	struct table *outer;        /* "group:x" -> struct member, of the roll */
	struct table *aliases;      /* key of an alias -> struct known */
	struct table *restricted;   /* the same under postures */
	struct table *source_lists; /* numbers of aliases -> struct source */
	struct table *source_sets;  /* what a source comes to -> struct source */
	struct known **user_known;  /* per user: its nodes, on demand */
	struct bitset **postures;   /* per posture: slots that satisfy it, on demand */
	uint64_t *marks;            /* scratch, a bit per address; zero between uses */
	size_t mark_words;
	struct known **knowns; /* by number */
	uint32_t known_count;
	size_t known_room;
	struct source *everything;
	struct source **self_sources; /* of rules for each user alone */
	size_t self_source_count;
	uint64_t *column; /* filter.c: of each unit the word of `nodes` that holds column_word */
	size_t column_word;
	uint32_t *scratch; /* filter.c: per unit, zero between uses */
};

void resolver_init(struct policy *policy);
void resolver_clear(struct policy *policy);

struct bitset set_new(struct resolver *r);
struct known *known_of(struct resolver *r, const struct alias *alias);
/* The same, cut to nodes that satisfy a posture of the rule: identities (and *, which then means nodes) by node, prefixes lose the addresses of the others. */
struct known *known_of_rule(struct resolver *r, const struct rule *rule, const struct alias *alias);
struct known *known_of_slots(struct resolver *r, const uint32_t *slots, size_t count);
struct known *known_of_user(struct resolver *r, uint32_t user);
/* Fills prefixes and texts: of a prefix alias one, of an ipset the fewest, of the Internet the texts of its ranges; * counts as the wildcard. */
void known_prefixes(struct resolver *r, struct known *known);

/* Ranges of the addresses of nodes, those that touch joined. */
struct spans spans_of_nodes(struct resolver *r, const struct bitset *nodes);
/* Marks the addresses of nodes; clear r->marks afterwards. */
void mark_nodes(struct resolver *r, const struct bitset *nodes);
struct spans spans_of_marks(struct resolver *r);
/* The first address that is >= ip. */
size_t address_from(const struct resolver *r, struct ip ip);
void routers_of_span(const struct resolver *r, struct span span, struct bitset *out);

static inline struct known *known_from(const struct meaning *meaning)
{
	return OWNER_OF(meaning, struct known, meaning);
}

/* posture.c: slots that satisfy a posture; computed once. */
const struct bitset *posture_nodes(struct resolver *r, uint32_t posture);
bool posture_holds(const struct posture *posture, const struct roll_node *node);

#endif
