/* Capabilities of nodes from nodeAttrs and the document's switches. Pure.
 * Not the tailnet's settings (mapper adds file sharing, ssh, auto-update). Results live in the caller's arena and borrow from the document.
 * Source: docs/protocol/policy.md, section 19. */
#ifndef ATTRS_H
#define ATTRS_H

#include "policy.h"

struct attr {
	struct bytes name;
	struct bytes values; /* compact JSON list; empty: null */
};

struct attrs {
	struct attr *list; /* sorted by name, unique */
	size_t count;
	bool disable_ipv4;
};

/* Own CapMap of the node as far as the policy makes it: nodeAttrs, randomize-client-port, disable-ipv4, funnel's companions (`https`: certificates are on in the
 * tailnet), is-admin and is-owner by role (tagged nodes: neither). */
struct attrs attrs_of(struct policy *policy, struct arena *arena, uint32_t slot, bool https);

/* The pools from which a node that joins may get its IPv4 address: of the first entry whose target matches; none: any. `node` need not be on the roll. */
size_t attrs_pools(const struct document *document, const struct roll *roll, const struct node *node, const struct prefix **pools);

#endif
