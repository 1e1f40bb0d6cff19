/* The DNSConfig of a map response, made once per change of a tailnet's settings. Pure.
 * Not the settings' rules (fleet/dns.h).
 * Appends through the caller's writer. Source: docs/protocol/dns.md (tailscale tailcfg DNSConfig). */
#ifndef DNSJSON_H
#define DNSJSON_H

#include "jsonw.h"
#include "settings.h"

/* `domain`: of the tailnet; the first search domain. with_exit_node: the reader knows UseWithExitNode (CAPVER_RESOLVER_EXIT). */
void dnsjson_write(struct jsonw *w, const char *name, const struct dns *dns, struct bytes domain, bool with_exit_node);

#endif
