/* Rules of a packet filter as map responses say them. Pure.
 * Not which rules (policy/filter.h). Appends through the caller's writer; nothing is owned.
 * Source: docs/protocol/policy.md, section 23 (tailscale tailcfg FilterRule, NetPortRange, CapGrant). */
#ifndef FILTERJSON_H
#define FILTERJSON_H

#include "filter.h"
#include "jsonw.h"

void filterjson_rule(struct jsonw *w, const struct filter_rule *rule);
/* Its two parts, for those who compare: the list of sources; an object of all the rest. */
void filterjson_source(struct jsonw *w, const struct source *source);
void filterjson_rest(struct jsonw *w, const struct filter_rule *rule);

#endif
