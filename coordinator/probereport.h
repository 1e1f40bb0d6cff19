/* What an announcement says about probes: the prober's key, whether it wants to be told whom to probe, and what it found last; and the answer's relays to probe.
 * Not the announcement (relayreg.h) and not the rows (store/relayprobes.h).
 * Lives in the exchange's arena. Source of the members: docs/protocol/derp.md, probes. */
#ifndef PROBEREPORT_H
#define PROBEREPORT_H

#include <jansson.h>

#include "jsonw.h"
#include "relayprobes.h"

struct probereport {
	bool probing; /* it says a key */
	struct node_key key;
	bool wants_peers;
	uint64_t after;
	struct relayprobe *probes;
	size_t count;
};

/* Figures that are not understood are passed over: a newer relay may know more. why: the key or PeersFrom is none. */
void probereport_decode(const json_t *body, struct arena *arena, struct probereport *report, struct diag *why);
/* Members Peers and MorePeers. peers: as relays_peers gave them. */
void probereport_write_peers(struct jsonw *w, const struct relay *peers, size_t count, uint64_t self, unsigned region, bool in_mesh);
/* The sentence for people of what failed; of "ok" and "", and of what is not known, the word itself. */
struct bytes probereport_sentence(struct bytes kind);

#endif
