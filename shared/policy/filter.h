/* The packet filter of one node: the rules that it needs, in the order and shape of the wire. Pure.
 * Not JSON (mapper/sections.h). Results live in the caller's arena and borrow from the policy.
 * Source: docs/protocol/policy.md, sections 8, 9, 11, 12, 13; tailscale tailcfg FilterRule. */
#ifndef FILTER_H
#define FILTER_H

#include "policy.h"

struct filter_dst {
	struct bytes ip; /* address, CIDR, range or * */
	struct port_range ports;
};

struct filter_grant {
	struct prefix *dsts; /* sorted, unique */
	size_t dst_count;
	const struct capability *app;
	size_t app_count;
};

struct filter_rule {
	const struct source *source;
	int proto;
	struct filter_dst *dst; /* DstPorts, or none */
	size_t dst_count;
	struct filter_grant *grants; /* CapGrant, or none */
	size_t grant_count;
};

struct filter {
	struct filter_rule *rules; /* none: nothing passes */
	size_t count;
};

struct filter filter_of(struct policy *policy, struct arena *arena, uint32_t slot);
/* The unreduced list, for tests and explanations: all entries of units that apply to the node, merged. */
struct filter filter_unreduced(struct policy *policy, struct arena *arena, uint32_t slot);

#endif
