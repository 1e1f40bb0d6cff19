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
	struct wall created;
	/* Who may join. What maps show besides is in settings.h. */
	int64_t key_lifetime_ms;          /* key expiry of untagged nodes; 0: never */
	bool frozen;                      /* admits no machine at present */
	bool suspended;                   /* keeps everything; admits nobody, and its nodes see nobody */
	bool device_approval;             /* nodes wait for an administrator unless their key is pre-approved */
	unsigned node_limit, user_limit;  /* 0: none */
	uint64_t relay_rate, relay_burst; /* bytes a second and bytes at once of all its clients through one relay; 0: as the region has it */
	struct bytes login_host;          /* interactive logins under this host name of the login server are its own; "" for none */
	struct bytes *domains;            /* e-mail domains associated with it: its policy may name all users of one */
	size_t domain_count;
};

/* A name that may become a tailnet: lower-case letters, digits, inner hyphens, 1 to 63. */
MUST_USE enum err tailnet_check_name(struct bytes name, struct diag *why);
/* Ranges must lie in 100.64.0.0/10 and fd7a:115c:a1e0::/48 (clients know no others; docs/protocol/addresses.md). */
MUST_USE enum err tailnet_check_ranges(struct prefix range4, struct prefix range6, struct diag *why);

enum { TAILNET_DISPLAY_NAME_MAX = 255, TAILNET_DOMAINS_MAX = 100, TAILNET_MEMBERS_MAX = 1000000000 };
#define TAILNET_RATE_MAX INT64_C(1000000000000)
/* key_lifetime_ms, node_limit, user_limit, relay_rate, relay_burst, domains and login_host; the sentence begins with the member's name as the admin API spells it. */
MUST_USE enum err tailnet_check_admission(const struct tailnet *tailnet, struct diag *why);

#endif
