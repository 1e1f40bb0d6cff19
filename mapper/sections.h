/* The sections of a map response that are told as a whole when they moved: relay map, DNS and domain. Pure.
 * Not nodes (nodejson.h), not what each node alone is told (rules.h). Appends through the caller's writer. Source: docs/protocol/map.md (tailscale tailcfg MapResponse). */
#ifndef SECTIONS_H
#define SECTIONS_H

#include "jsonw.h"
#include "relaymap.h"

enum section {
	SECTION_RELAYS = 1 << 0,
	SECTION_SETTINGS = 1 << 1, /* DNS, domain */
	SECTIONS_ALL = (1 << 2) - 1
};

/* features: what the reader's band understands. */
void sections_write(struct jsonw *w, const struct snapshot *s, const struct relaymap *relays, unsigned sections, unsigned features);

#endif
