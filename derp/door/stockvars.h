/* What this relay counts, under the names that stock relays give, so that graphs made for them go on.
 * Not our own names (metrics_relay.h), and not who may look (debugpages.h).
 * Nothing is owned. Source: docs/protocol/derp.md, variables of the stock relay (tailscale derp/derpserver, cmd/derper, tsweb/varz). */
#ifndef STOCKVARS_H
#define STOCKVARS_H

#include "buffer.h"

struct relay;

/* From any thread once all shards are there. */
MUST_USE enum err stockvars_json(const struct relay *relay, struct buffer *out);
MUST_USE enum err stockvars_text(const struct relay *relay, struct buffer *out); /* Prometheus 0.0.4 */

#endif
