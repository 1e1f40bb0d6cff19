/* Capability version -> what that client understands: one table, the only `if version` in the house.
 * Not negotiation: the server accepts the client's number or refuses it.
 * Pure. Source: docs/protocol/capver.md (tailscale tailcfg/tailcfg.go, CapabilityVersion). */
#ifndef CAPVER_H
#define CAPVER_H

#include <stdbool.h>

enum { CAPVER_OLDEST = 90 };

enum capver_feature {
	CAPVER_HOME_DERP = 1 << 0,          /* 111: HomeDERP; below it the "127.3.3.40:REGION" DERP string */
	CAPVER_OMIT_ALLOWED_IPS = 1 << 1,   /* 112: absent AllowedIPs = Addresses */
	CAPVER_CAP_SOURCES = 1 << 2,        /* 109: "cap:" filter sources */
	CAPVER_NO_MEASURE_NO_HOME = 1 << 3, /* 115 */
	CAPVER_DISPLAY_MESSAGES = 1 << 4,   /* 117; below it Health */
	CAPVER_AUTO_UPDATE_CAP = 1 << 5,    /* 131; below it DefaultAutoUpdate */
	CAPVER_STABLE_TAILNET = 1 << 6,     /* 148: Node.StableTailnetID */
	CAPVER_RESOLVER_EXIT = 1 << 7       /* 125: Resolver.UseWithExitNode */
};

/* The band of a version: clients of one band get the same bytes. Part of the class key. Dense, 0 .. capver_band_count()-1. */
unsigned capver_band(unsigned capver);
unsigned capver_band_count(void);
unsigned capver_band_features(unsigned band); /* enum capver_feature, ored */
bool capver_accepted(unsigned capver);        /* >= CAPVER_OLDEST; never refuses a newer one */
/* "this server needs Tailscale 1.64 or newer": the sentence for error frames and 400s. */
const char *capver_refusal(void);

#endif
