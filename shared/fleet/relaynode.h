/* A relay as the relay map names it: how clients and other relays reach it, and what they would not misread.
 * Not its JSON (wire/derpmap.h), not its row (store/relays.h), not whether it lives (a lease).
 * Texts are borrowed. Pure. Source: docs/protocol/derpmap.md (tailscale tailcfg/derpmap.go, DERPNode). */
#ifndef RELAYNODE_H
#define RELAYNODE_H

#include "addr.h"

enum {
	RELAY_REGION_ID_MAX = 65535, /* 16 bits: peer relays use them so */
	RELAY_HOST_MAX = 253,
	RELAY_PORT_MAX = 65535
};

struct relay_node {
	struct bytes name; /* unique over all regions, e.g. "900a" */
	struct bytes host_name;
	struct bytes cert_name;  /* "" or a host name, or "sha256-raw:<64 hex digits>" */
	struct bytes ipv4, ipv6; /* "" = DNS, "none" = disabled */
	int stun_port;           /* 0 = 3478, -1 = none */
	unsigned relay_port;     /* 0 = 443 */
	bool stun_only, insecure_for_tests, can_port80;
};

/* Labels of letters, digits, hyphens and underscores, at most RELAY_HOST_MAX bytes; an IPv4 address is one. Not an IPv6 address: clients put it into a URL
 * as it is. */
bool relaynode_is_host(struct bytes text);
bool relaynode_is_certificate(struct bytes text);
bool relaynode_is_address(struct bytes text, enum ip_family family);
/* All but the name, of which whoever gives it has the rule. ERR_MALFORMED. */
MUST_USE enum err relaynode_check(const struct relay_node *node, struct diag *why);

#endif
