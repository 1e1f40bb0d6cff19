/* Why something passes or not: the rules that decide. Pure.
 * Not a probe of the network. Results live in the caller's arena.
 * Verdicts are those of the clients: docs/protocol/policy.md, sections 20 and 23. */
#ifndef EXPLAIN_H
#define EXPLAIN_H

#include "policy.h"

struct explain_question {
	struct ip source, destination;
	int proto; /* PROTO_ABSENT: TCP */
	uint16_t port;
};

struct explain_reason {
	const struct rule *rule; /* rule->at tells the line; line 0: the rule of an absent policy */
	bool by_subnet_route;    /* the destination lies behind a router */
};

struct explain {
	bool allowed;
	struct explain_reason *reasons; /* every rule that allows it, in order; none: nothing does */
	size_t reason_count;
	uint32_t router; /* slot of the node whose filter decides; UINT32_MAX: no node holds or serves the address, and the rules alone are judged */
};

/* Of a protocol without ports the port is not asked; ICMP is an echo: whoever may reach anything may ping. */
struct explain explain_ask(struct policy *policy, struct arena *arena, const struct explain_question *question);

/* A set of ports that a pair of nodes may use by one protocol; for previews. */
struct explain_opening {
	uint32_t from, to; /* slots */
	int proto;
	struct port_range ports;
};

/* What `now` opens that `old` does not, to a node or to what lies behind it: per pair of nodes, at most `cap` of them; *count may be more than `cap`. Both on
 * the same roll. A ping that comes along with a port is not told. Work is bounded: of a comparison past the bound *count is what was found until then. */
size_t explain_opened(struct policy *old, struct policy *now, struct arena *arena, size_t cap, struct explain_opening **openings, size_t *count);

#endif
