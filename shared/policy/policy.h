/* A document compiled for the nodes of a tailnet: every rule as sources and destinations over slots, in the order of the wire. Pure.
 * Not the text (document.h); what it answers is asked through filter.h, visible.h, sshrule.h, attrs.h, approve.h, selftest.h, explain.h.
 * A policy owns its memory, borrows document and roll, which must live as long, and is immutable but for caches: one thread at a time.
 * Source: docs/protocol/policy.md, sections 8 to 15. */
#ifndef POLICY_H
#define POLICY_H

#include "bitset.h"
#include "roll.h"
#include "span.h"

/* What an alias means now. Identities are both addresses of nodes; addresses stand for themselves. */
struct meaning {
	struct bitset nodes; /* identity aliases: slots; *: every one. Address aliases: none */
	struct spans spans;  /* all its addresses as ranges, sorted, disjoint: those of `nodes` too */
	bool any, internet, self;
};

/* The sources of a filter rule. Equal lists of texts are one source: `number` tells them apart. */
struct source {
	uint32_t number;
	struct bytes *texts; /* SrcIPs: sorted by byte value, unique (8.2). There once a filter named the source: formatted on demand */
	size_t text_count;
	uint64_t sum;        /* of the texts, in whatever order they were added; there with them */
	struct spans spans;  /* their union; {0} with `everything` */
	bool everything;     /* ["*"] */
	struct bitset own;   /* slots whose own address lies in it */
	struct bitset nodes; /* own, and those with a subnet route that overlaps (14) */
};

struct unit_dst {
	const struct target *target; /* NULL in a companion: its destinations are sources of the rule */
	const struct meaning *meaning;
	const struct port_range *ports;
	size_t port_count;
};

/* One rule of a filter before merging: DstPorts of one protocol, or the CapGrant of an app, or its companion. In the order of the wire (8.1). */
struct unit {
	const struct rule *rule;
	const struct source *source;
	int proto;                    /* PROTO_ABSENT; of DstPorts */
	const struct capability *app; /* CapGrant: all of the rule's, or the one companion; NULL: DstPorts */
	size_t app_count;
	struct unit_dst *dst;
	size_t dst_count;
	struct bitset nodes;  /* slots that count as its destinations (14); of self and via units as said below */
	bool covers_internet; /* its destination covers the Internet, or is 0.0.0.0/0 or ::/0 alone: exit nodes count */
	uint32_t merged;      /* number of the first DstPorts unit with equal source and protocol: its own when it is the first. CapGrant: its own */
	uint32_t common;      /* of those equal ones the first that stands in the list of every node; UINT32_MAX: all are of self or via */
	bool companion;       /* swapped: sharer or target capability (13) */
	bool via;             /* `nodes`: slots with a tag of via and a matching approved route; app: never sent, counts for 14 */
	uint32_t self_of;     /* of autogroup:self: number of the user in roll.users for whom it is; UINT32_MAX for all others. One unit per user with sources:
	                                     `source` and `nodes` are that user's nodes */
};

struct sights;
struct attr_classes;
struct ssh_plan;
struct resolver;

struct policy {
	struct arena *arena;
	const struct document *document;
	const struct roll *roll;
	struct source **sources;
	size_t source_count;
	struct unit *units; /* the unreduced list of every node, as one: units of self and via apply where they say */
	size_t unit_count;
	struct prefix *routes; /* every distinct approved subnet route of the tailnet, sorted */
	size_t route_count;
	struct bitset exits;               /* slots of exit nodes */
	struct bitset tagged;              /* slots of tagged nodes */
	struct sights *sights;             /* visible.h: NULL until the first is asked for; in the arena */
	struct attr_classes *attr_classes; /* attrs.h: likewise */
	struct ssh_plan *ssh_plan;         /* sshplan.h: likewise */
	struct resolver *resolver;         /* resolve.h */
};

/* Never fails on a document that document_read accepted. Time grows with rules and aliases times classes of nodes, not times nodes. */
struct policy *policy_compile(const struct document *document, const struct roll *roll);
void policy_free(struct policy **policy);

/* The meaning of an alias of the document; computed once. As a source (`src`) * does not bring the approved routes: source.texts do. */
const struct meaning *policy_meaning(struct policy *policy, const struct alias *alias);
/* Of a rule with postures: whether the node in that slot satisfies one of them. Without: true. */
bool policy_posture(const struct policy *policy, const struct rule *rule, uint32_t slot);

#endif
