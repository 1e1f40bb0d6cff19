/* What a client's report (a lite or old full map request) would change, compared with its row. Pure.
 * Not the writing (reports.h) and not the journal: nodes_report_add tells what differs by itself; this says whether to ask at all.
 * The report points into the request, the node and `arena`. */
#ifndef REPORT_H
#define REPORT_H

#include "mapmsg.h"
#include "nodes.h"

struct report_moves {
	struct node_report report;
	bool write;                     /* the row differs */
	bool relabel;                   /* the host name gives another label, and no administrator chose one */
	char label[NODE_LABEL_MAX + 1]; /* the base it gives */
};

void report_compare(const struct node *node, const struct map_request *request, uint64_t epoch, struct wall now, struct arena *arena,
		    struct report_moves *moves);

#endif
