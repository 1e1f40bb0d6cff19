/* The own API's questions to a node: pings, and requests that its client answers about itself (c2n).
 * Not their transport (coordinator/ask.h). Source: docs/protocol/ping.md. */
#ifndef OWN_ASK_H
#define OWN_ASK_H

#include "exchange.h"

void own_node_ping(struct exchange *x);
void own_node_debug(struct exchange *x);

#endif
