/* What relays found when they probed each other: a row for each pair, replaced by the next probe, gone with either relay.
 * Not the relays (relays.h) and not the probing. Of the installation: transactions of tailnet 0.
 * Rows read live in the caller's arena. */
#ifndef RELAYPROBES_H
#define RELAYPROBES_H

#include "relays.h"

enum { RELAYPROBES_MAX = 128 };

struct relayprobe {
	uint64_t from, to;
	struct bytes to_name; /* read only, as its region */
	unsigned to_region;
	struct wall at;
	uint64_t age_ms;                                /* instead of `at`, when it is put */
	struct bytes relay, stun, mesh;                 /* "ok", what failed, or "": not measured */
	uint64_t connect_us, trip_us, stun_us, mesh_us; /* 0: not measured */
};

/* key: of the announcing relay's prober. Figures about relays that are not there are passed over. */
unsigned relayprobes_put(struct tx *tx, const struct relay_token *token, struct bytes name, const struct node_key *key, const struct relayprobe *probes,
			 size_t count);
/* By source and target, those behind the pair of `from` and `to` (0, 0: from the beginning). */
unsigned relayprobes_page(struct tx *tx, uint64_t from, uint64_t to, unsigned limit);
size_t relayprobes_read(struct tx *tx, unsigned statement, struct arena *arena, struct relayprobe **out);

#endif
