/* Rules of a packet filter as map responses say them. Pure.
 * Not which rules (policy/filter.h). Appends through the caller's writer; nothing is owned.
 * Source: docs/protocol/policy.md, section 23 (tailscale tailcfg FilterRule, NetPortRange, CapGrant). */
#ifndef FILTERJSON_H
#define FILTERJSON_H

#include "filter.h"
#include "jsonw.h"

/* With these sources, which may be some of its own. */
void filterjson_rule(struct jsonw *w, const struct bytes *sources, size_t count, const struct filter_rule *rule);
/* All but the sources as an object, for those who compare. */
void filterjson_rest(struct jsonw *w, const struct filter_rule *rule);

#endif
