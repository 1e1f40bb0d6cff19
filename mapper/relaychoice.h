/* The part of the installation's relay map that one tailnet may see: its own regions and everybody's, within its fence, without what its settings omit;
 * nothing of other tailnets' own. Pure.
 * Not the policy's derpMap and not who must be waited for (relaymap.h): what is left out goes into the member Leaving, and so does, without the mark, what
 * is marked as nobody's home.
 * The choice is a copy of the settings and its keeper's; relaychoice_clear frees. */
#ifndef RELAYCHOICE_H
#define RELAYCHOICE_H

#include "census.h"

struct relaychoice {
	uint64_t *fence, *omit, *no_home;
	size_t fence_count, omit_count, no_home_count;
	bool omit_shared;
};

/* True: it is another one now. */
bool relaychoice_set(struct relaychoice *choice, const struct settings_relays *settings);
void relaychoice_clear(struct relaychoice *choice);
/* Appends a map. *homes: how many of its regions somebody may be at home in. */
MUST_USE enum err relaychoice_encode(const struct relaychoice *choice, uint64_t tailnet, const struct relay_region *regions, size_t count, struct buffer *out,
				     size_t *homes);

#endif
