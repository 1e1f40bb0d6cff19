/* The relay map: regions and their nodes as rows tell them -> DERPMap JSON. Byte-stable for equal input.
 * Not which relay is alive: that is a lease; being in the map is a row.
 * Texts live in the arena of whoever read them. Source: docs/protocol/derpmap.md (tailscale tailcfg/derpmap.go). */
#ifndef DERPMAP_H
#define DERPMAP_H

#include "buffer.h"
#include "jsonw.h"
#include "relaynode.h"

struct relay_region {
	unsigned id;
	struct bytes code, name;
	double latitude, longitude;
	bool no_measure_no_home;
	struct relay_node *nodes;
	size_t node_count;
	const uint64_t *tailnets; /* whose it is; none: everybody's */
	size_t tailnet_count;
	double score; /* measured times count so many times; 0 as 1 */
};

/* Members of a node (DERPNode), within an object. region: its number; 0: not told. */
void derpmap_write_node(struct jsonw *w, const struct relay_node *node, unsigned region);
/* Appends one region's object. */
MUST_USE enum err derpmap_encode_region(const struct relay_region *region, struct buffer *out);
/* Appends a DERPMap object. Regions without nodes are left out. */
MUST_USE enum err derpmap_encode(const struct relay_region *regions, size_t count, struct buffer *out);
/* The same with a member Leaving, which is not for clients: regions that may still be somebody's home. */
MUST_USE enum err derpmap_encode_leaving(const struct relay_region *regions, size_t count, const struct relay_region *leaving, size_t leaving_count,
					 struct buffer *out);

#endif
