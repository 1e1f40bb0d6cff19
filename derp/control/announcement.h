/* What a relay says about itself to coordinators.
 * Not the saying (announce.h) and not who fills it in (registration.h). Pure.
 * Texts are borrowed. Wire: POST /relay/v1/announce, docs/protocol/derp.md. */
#ifndef ANNOUNCEMENT_H
#define ANNOUNCEMENT_H

#include "figure.h"

struct announcement {
	const char *name; /* "": the coordinator knows */
	const char *host_name, *ipv4, *ipv6, *cert_name;
	unsigned relay_port;
	int stun_port; /* -1: none */
	bool insecure_for_tests, can_port80;
	const char *instance; /* random, of this process */
	uint64_t homes;       /* clients whose home it is */
	uint64_t rechecks_from;
	bool draining;
	const char *probe_key; /* by which it is a client of other relays; NULL: it does not probe */
	bool wants_peers;      /* whom to probe: those behind the number peers_from */
	uint64_t peers_from;
	const struct figure *figures; /* of its last probes */
	size_t figure_count;
};

/* Ages of figures are those of `now`. Appended; ERR_TOO_BIG past the cap of `out`. */
MUST_USE enum err announcement_encode(const struct announcement *announcement, struct mono now, struct buffer *out);

#endif
