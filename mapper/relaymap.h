/* A tailnet's relay map: that of the installation, with the regions of the policy's derpMap in it or in its place. Pure.
 * Not which relays live, and not the rows (derpmap.h).
 * Embedded in its owner; relaymap_clear frees. Source: docs/protocol/derpmap.md.
 *
 * A client whose home region vanishes between two maps may never come back, nor does one leave that hears packets by a region marked as no home. So a region that
 * an edit takes away stays as it is, with a score that makes it the last choice, until no online node is at home in it; and a map in which nobody could be at
 * home is not shown: the installation's is. */
#ifndef RELAYMAP_H
#define RELAYMAP_H

#include "document.h"
#include "snapshot.h"

/* A region shown that is not one of the installation's as it is. */
struct relaymap_region {
	unsigned id;
	bool no_home;
	struct body *text;
};

struct relaymap {
	struct body *shown; /* DERPMap as JSON text; NULL: none yet */
	uint64_t moved;     /* version */
	struct body *of;    /* the installation's, as it was merged */
	uint64_t read;      /* policy_moved of the document that was merged */
	struct relaymap_region *own;
	size_t own_count;
	size_t held; /* of those: regions that only wait for nodes to leave */
	bool scored; /* scores were shown: from now on they are told with every map, since absent ones change nothing */
};

void relaymap_clear(struct relaymap *m);
/* Brings it to the snapshot's present version. document: that of the version `read`; NULL: none. */
void relaymap_follow(struct relaymap *m, const struct snapshot *s, const struct document *document, uint64_t read);

#endif
