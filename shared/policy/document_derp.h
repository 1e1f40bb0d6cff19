/* The derpMap of a policy: relay regions of the tailnet's own, and those of the installation that it does without. Pure.
 * Not the map that clients get (mapper/relaymap.h). Names of nodes are unique over all regions of the file.
 * Lives in the arena of the document and borrows from its source. Source: docs/protocol/derpmap.md (tailscale tailcfg/derpmap.go). */
#ifndef DOCUMENT_DERP_H
#define DOCUMENT_DERP_H

#include "place.h"
#include "relaynode.h"

enum { DERP_REGIONS_MAX = 256, DERP_REGION_NODES_MAX = 32, DERP_NAME_MAX = 255 };

struct derp_region {
	unsigned id;  /* unique; in file order */
	bool removed; /* null: the installation's region of that number is not for this tailnet */
	struct bytes code, name;
	double latitude, longitude;
	bool no_measure_no_home;
	struct relay_node *nodes; /* at least one, unless removed */
	size_t node_count;
};

struct derp_section {
	bool omit_default; /* no region of the installation; then there is one of its own at least */
	struct derp_region *regions;
	size_t region_count;
};

#endif
