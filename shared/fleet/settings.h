/* Settings of a tailnet that its clients' maps show: features, notice, DNS.
 * Not what decides who gets in (tailnet.h) and not their rows (store/tailnets.h).
 * Texts and lists live in the arena of whoever read them. */
#ifndef SETTINGS_H
#define SETTINGS_H

#include "dns.h"

enum { SETTINGS_NOTICE_MAX = 1024, SETTINGS_REGIONS_MAX = 256 };

/* Which relay regions a tailnet's map shows, by number. */
struct settings_relays {
	uint64_t *fence; /* these alone; none: no fence */
	uint64_t *omit;
	uint64_t *no_home; /* shown, never measured, nobody's home */
	size_t fence_count, omit_count, no_home_count;
	bool omit_shared; /* only regions that are this tailnet's own */
};

struct settings {
	struct settings_relays relays;
	struct dns dns;
	bool file_sharing;       /* Taildrop */
	bool ssh;                /* nodes may run the Tailscale SSH server */
	bool auto_update;        /* default of nodes without a choice of their own */
	bool random_client_port; /* UDP port of clients */
	bool client_logs;        /* clients may upload their logs to the client's maker */
	struct bytes notice;     /* shown by every client; "" for none */
};

/* The notice and the DNS part (dns_check): ERR_MALFORMED with a sentence that begins with the place of the first fault. */
MUST_USE enum err settings_check(const struct settings *settings, struct diag *why);

#endif
