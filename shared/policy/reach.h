/* What clients make of ports and protocols. Header only, private to the module.
 * Source: docs/protocol/policy.md, section 23. */
#ifndef REACH_H
#define REACH_H

#include "policy.h"

enum { PROTO_ICMP = 1, PROTO_TCP = 6, PROTO_UDP = 17, PROTO_ICMPV6 = 58, PROTO_SCTP = 132 };

static inline bool reach_has_ports(int proto)
{
	return proto == PROTO_TCP || proto == PROTO_UDP || proto == PROTO_SCTP;
}

/* What has no ports passes where all of them are open. */
static inline bool reach_every_port(const struct unit_dst *dst)
{
	for (size_t i = 0; i < dst->port_count; i++)
		if (!dst->ports[i].first && dst->ports[i].last == UINT16_MAX)
			return true;
	return false;
}

/* A unit of autogroup:self is a rule of its user's nodes alone, also where a router's route overlaps their addresses. */
static inline bool reach_is_mine(const struct policy *policy, const struct unit *unit, uint32_t slot)
{
	const struct node *node = policy->roll->nodes[slot].node;
	return unit->self_of == UINT32_MAX || (node && !node_is_tagged(node) && node->user == policy->roll->users[unit->self_of].user->id);
}

#endif
