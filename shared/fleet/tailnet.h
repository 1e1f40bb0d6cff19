/* A tailnet: one private network, the owner of nodes, users and keys.
 * Not its rows (store/tailnets.h) and not its members.
 * Texts and lists live in the arena of whoever read it. Tailnet 0 is the installation itself: relays and regions are its changes. */
#ifndef TAILNET_H
#define TAILNET_H

#include "addr.h"
#include "clock.h"

enum { TAILNET_INSTALLATION = 0, TAILNET_NAME_MAX = 63, TAILNET_DOMAIN_MAX = 190 };

struct tailnet {
	uint64_t id;
	struct bytes name;   /* a DNS label, unique in the installation */
	struct bytes domain; /* MagicDNS suffix without trailing dot, NAME.<base_domain> unless given */
	struct bytes display_name;
	struct prefix range4, range6; /* addresses are taken from here; ranges of two tailnets may overlap */
	bool magic_dns;
	struct wall created;
};

/* A name that may become a tailnet: lower-case letters, digits, inner hyphens, 1 to 63. */
MUST_USE enum err tailnet_check_name(struct bytes name, struct diag *why);
/* Ranges must lie in 100.64.0.0/10 and fd7a:115c:a1e0::/48 (clients know no others; docs/protocol/addresses.md). */
MUST_USE enum err tailnet_check_ranges(struct prefix range4, struct prefix range6, struct diag *why);

#endif
