/* What of a destination one node needs: entries kept, in address order. Private to the module.
 * Not rules (filter.c). A narrow keeps its room from one question to the next; narrow_clear ends it.
 * Source: docs/protocol/policy.md, sections 9, 11, 13. */
#ifndef NARROW_H
#define NARROW_H

#include "source.h"

struct narrow {
	struct resolver *r;
	uint32_t slot;
	bool all; /* nothing is left out but what via does */
	bool is_exit;
	struct span own[2];
	size_t own_count;
	struct span *routes; /* subnet routes */
	size_t route_count;
	uint32_t *kept; /* of narrow_ports: addresses of nodes, or places in texts of the alias */
	size_t count, room;
	struct prefix *prefixes; /* of narrow_app */
	size_t prefix_count, prefix_room;
};

void narrow_init(struct narrow *n, struct resolver *r, uint32_t slot, bool all);
void narrow_clear(struct narrow *n);
void narrow_ports(struct narrow *n, struct known *known, bool via);
struct bytes narrow_text(const struct narrow *n, const struct known *known, uint32_t kept);
/* Adds to prefixes. */
void narrow_app(struct narrow *n, struct known *known);
/* The prefixes, sorted and unique, as a list in the arena; the narrow has none then. */
size_t narrow_take(struct narrow *n, struct arena *arena, struct prefix **prefixes);

#endif
