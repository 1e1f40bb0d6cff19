/* The sections of a map response that are told as a whole when they moved: relay map, DNS and domain, packet filter. Pure.
 * Not nodes (nodejson.h). Appends through the caller's writer. Source: docs/protocol/map.md (tailscale tailcfg MapResponse). */
#ifndef SECTIONS_H
#define SECTIONS_H

#include "class.h"
#include "jsonw.h"

enum section {
	SECTION_RELAYS = 1 << 0,
	SECTION_SETTINGS = 1 << 1, /* DNS, domain */
	SECTION_FILTER = 1 << 2,
	SECTIONS_ALL = (1 << 3) - 1
};

/* features: what the reader's band understands. */
void sections_write(struct jsonw *w, const struct snapshot *s, unsigned sections, const struct view *view, unsigned features);

#endif
