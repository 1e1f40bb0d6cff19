/* A node's packet filter as named parts, each of which is told alone when it moves. Pure.
 * Not which rules (policy/filter.h), not when a part moved (rules.h). Appends through the caller's writer; nothing is owned.
 * Source: docs/protocol/policy.md, section 23 (tailscale tailcfg MapResponse.PacketFilters): the client joins the parts in the order of their names, and lets
 * in what any rule lets in. Only of capabilities the order tells, in which their values stand: those rules are in one part, whole. */
#ifndef FILTERPARTS_H
#define FILTERPARTS_H

#include "filter.h"
#include "jsonw.h"
#include "sourcebook.h"

enum filter_part {
	PART_BASE, /* rules of ports, with the sources that were told last as a whole */
	PART_CAPS, /* rules of capabilities */
	PART_LATE, /* rules of ports again, with sources that came since */
	PART_COUNT
};

const char *filterpart_name(enum filter_part part);
/* What stands for the part when it is compared; nothing while it has no rules. */
void filterpart_digest(struct jsonw *w, struct sourcebook *book, const struct filter *filter, enum filter_part part);
/* Its rules, into an open list. */
void filterpart_write(struct jsonw *w, struct sourcebook *book, const struct filter *filter, enum filter_part part);
bool filterpart_any(struct sourcebook *book, const struct filter *filter, enum filter_part part);

#endif
