/* A tailnet's policy as its maps follow it: the document read once per text, compiled when nodes that join, leave and change cannot be followed; and what each node
 * alone is told because of it: packet filter, SSH rules, capabilities, and when each of these moved last.
 * Not who sees whom and its history (class.h) and not when (keeper.h). Pure.
 * Owns document and policy; borrows the snapshot's rows: rules_follow before anything is asked after they changed. */
#ifndef RULES_H
#define RULES_H

#include "filterparts.h"
#include "jsonw.h"
#include "moves.h"
#include "policy.h"
#include "relaymap.h"
#include "snapshot.h"

enum rules_state {
	RULES_OPEN,     /* no policy: everything passes between all approved nodes */
	RULES_COMPILED, /* `policy` */
	RULES_CLOSED    /* there is one that is no policy at all, or too large for this tailnet: nothing passes, nobody sees anybody */
};

/* What a node alone is told. */
enum own_part {
	OWN_FILTER = 1 << PART_BASE,
	OWN_GRANTS = 1 << PART_CAPS,
	OWN_LATE = 1 << PART_LATE,
	OWN_FILTERS = (1 << PART_COUNT) - 1,
	OWN_SSH = 1 << PART_COUNT,
	OWN_CAPS = 2 << PART_COUNT,
	OWN_ALL = (4 << PART_COUNT) - 1
};

enum { OWN_PARTS = PART_COUNT + 2 };

enum { LATER_MAX = 16 };

struct own {
	uint64_t looked;                            /* serial of the rules when it was looked at last; 0: never */
	unsigned due;                               /* parts to be looked at nevertheless; enum own_part, ored */
	uint64_t hash[OWN_PARTS], moved[OWN_PARTS]; /* versions */
};

struct rules {
	enum rules_state state;
	uint64_t serial;      /* counts compiles */
	uint64_t followed;    /* roll_moved of the snapshot that it stands for */
	uint64_t replaced;    /* version of the snapshot: as the roll has its rows */
	struct bitset rolled; /* slots whose change was followed last (RULES_FOLLOWED) */
	uint64_t read;        /* policy_moved of the snapshot that the document stands for */
	struct diag why;      /* of RULES_CLOSED */
	struct lapses lapses; /* of RULES_COMPILED: what was not understood, and counts for nothing */
	struct body *source;  /* text of the document */
	struct arena *document_arena, *roll_arena, *scratch;
	struct document *document;
	uint8_t outline[32]; /* of its text, once it was asked for */
	bool outlined;
	struct later { /* texts after it, of which its groups are; see regroup.h */
		struct arena *arena;
		struct body *source;
	} later[LATER_MAX];
	size_t later_count;
	struct policy *policy;
	struct roll roll;
	struct roll_node *roll_nodes; /* of `roll` */
	uint32_t roll_room;
	struct buffer text; /* scratch */
	struct own *own;    /* by slot */
	uint32_t own_room;
	struct bitset no_ip4; /* slots of nodes without IPv4 (attribute disable-ipv4) */
	struct moves flips;   /* when a slot entered or left it */
	struct relaymap relays;
	struct sourcebook book;
	size_t history;
};

struct rules *rules_new(size_t history);
void rules_free(struct rules **rules);

enum rules_step {
	RULES_SAME,
	RULES_FOLLOWED, /* sights stand as before but for the nodes in `rolled` */
	RULES_RESEEN,   /* followed, but there are other sights */
	RULES_ANEW      /* compiled; or state or text are others */
};

/* Brings them to the snapshot's present state; between two versions, RULES_SAME. */
enum rules_step rules_follow(struct rules *r, const struct snapshot *s);

/* The parts of a node that moved after `version`, after a look at them as of the present version; enum own_part, ored. */
void rules_look(struct rules *r, const struct snapshot *s, uint32_t slot);
unsigned rules_moved(const struct rules *r, uint32_t slot, uint64_t version);

/* Members of a map message, or of a node. The slot holds a node. parts: of OWN_FILTERS those that are told; first: on a new stream, where nothing is taken back. */
void rules_write_filter(struct rules *r, struct jsonw *w, const struct snapshot *s, uint32_t slot, unsigned parts, bool first);
void rules_write_ssh(struct rules *r, struct jsonw *w, const struct snapshot *s, uint32_t slot);
/* Into an open object: capabilities of the policy but those named in `has`, a list that ends in NULL. */
void rules_write_caps(struct rules *r, struct jsonw *w, const struct snapshot *s, uint32_t slot, const char *const *has);

#endif
